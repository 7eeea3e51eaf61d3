/** An sRGB colour, each component from 0 to 255. */
export type Rgb = readonly [number, number, number]

export const WHITE: Rgb = [255, 255, 255]
export const BLACK: Rgb = [0, 0, 0]
/** The contrast that WCAG 2.2 AA requires for text, plus a margin for rounding. */
const LEAST = 4.6
const STEP = 0.05

/** The colour, mixed with black or white until readable on this background. */
export function readableOn(color: Rgb, ground: Rgb): Rgb {
  const towards = contrast(BLACK, ground) > contrast(WHITE, ground) ? BLACK : WHITE
  for (let part = 0; part < 1; part += STEP) {
    const mixed = mix(color, towards, part)
    if (contrast(mixed, ground) >= LEAST) return mixed
  }
  return towards
}

function mix(color: Rgb, other: Rgb, part: number): Rgb {
  const at = (index: 0 | 1 | 2) => Math.round(color[index] * (1 - part) + other[index] * part)
  return [at(0), at(1), at(2)]
}

/** From 1 to 21: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
export function contrast(a: Rgb, b: Rgb): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}

function luminance(color: Rgb): number {
  const [red = 0, green = 0, blue = 0] = color.map((part) => {
    const value = part / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

export function cssColor([red, green, blue]: Rgb): string {
  return `rgb(${red}, ${green}, ${blue})`
}
