import { cssColor, readableOn, type Rgb } from './contrast'

/** The background of the log, as in theme.ts. */
const GROUNDS: Record<'light' | 'dark', Rgb> = { light: [255, 255, 255], dark: [13, 17, 23] }

/** A part of an output line with one style. Sequences that only move the cursor are dropped. */
export interface AnsiStyle {
  /** 0-15 for the palette, or an RGB colour. */
  color: number | Rgb | null
  background: number | Rgb | null
  bold: boolean
  dim: boolean
  italic: boolean
  underline: boolean
  inverse: boolean
  /** Link target (OSC 8), http and https only. */
  link: string | null
}

export interface AnsiSpan {
  text: string
  style: AnsiStyle
}

/** The style after code 0, which does not end a link. */
const UNSTYLED = Object.freeze({
  color: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
})
export const PLAIN: AnsiStyle = Object.freeze({ ...UNSTYLED, link: null })

// CSI sequences; OSC and other strings up to their end; other two-character escapes.
const ESCAPE =
   
  /\x1b\[([0-?]*)[ -/]*([@-~])?|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]/g
 
// https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda
const LINK = /^\x1b\]8;[^;]*;([^\x07\x1b]*)/
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g

/** The spans of a line, and the style at its end for the next line. */
export function parseAnsi(line: string, style: AnsiStyle = PLAIN): [AnsiSpan[], AnsiStyle] {
  const text = afterReturns(line)
  const spans: AnsiSpan[] = []
  let current = style
  let from = 0
  for (const match of text.matchAll(ESCAPE)) {
    addSpan(spans, text.slice(from, match.index), current)
    if (match[2] === 'm') current = applyCodes(current, match[1] ?? '')
    else if (LINK.test(match[0])) current = { ...current, link: linkOf(match[0]) }
    from = match.index + match[0].length
  }
  addSpan(spans, text.slice(from), current)
  return [spans, current]
}

function linkOf(sequence: string): string | null {
  const address = LINK.exec(sequence)?.[1] ?? ''
  return /^https?:\/\//i.test(address) ? address : null
}

/** A carriage return restarts the line, as progress bars do: only the last text is visible. */
function afterReturns(line: string): string {
  const trimmed = line.replace(/\r+$/, '')
  return trimmed.slice(trimmed.lastIndexOf('\r') + 1)
}

function addSpan(spans: AnsiSpan[], text: string, style: AnsiStyle): void {
  const clean = text.replace(CONTROLS, '')
  if (clean) spans.push({ text: clean, style })
}

/** The plain text, for searching and copying. */
export function stripAnsi(line: string): string {
  return parseAnsi(line)[0].map((span) => span.text).join('')
}

function applyCodes(style: AnsiStyle, parameters: string): AnsiStyle {
  const codes = parameters.split(/[;:]/).map((code) => Number(code) || 0)
  let next: AnsiStyle = { ...style }
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0
    if (code === 38 || code === 48) {
      const [color, used] = extendedColor(codes.slice(at + 1))
      if (code === 38) next.color = color
      else next.background = color
      at += used
    } else {
      next = applyCode(next, code)
    }
  }
  return next
}

const SWITCHES: Record<number, Partial<AnsiStyle>> = {
  0: UNSTYLED,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  39: { color: null },
  49: { background: null },
}

function applyCode(style: AnsiStyle, code: number): AnsiStyle {
  if (SWITCHES[code]) return { ...style, ...SWITCHES[code] }
  if (code >= 30 && code <= 37) return { ...style, color: code - 30 }
  if (code >= 90 && code <= 97) return { ...style, color: code - 82 }
  if (code >= 40 && code <= 47) return { ...style, background: code - 40 }
  if (code >= 100 && code <= 107) return { ...style, background: code - 92 }
  return style
}

/** The colour after 38 or 48, and the number of parameters it used. */
function extendedColor(rest: number[]): [number | Rgb | null, number] {
  const byte = (value: number | undefined) => Math.min(value ?? 0, 255)
  if (rest[0] === 5) return [paletteColor(byte(rest[1])), 2]
  if (rest[0] === 2) return [[byte(rest[1]), byte(rest[2]), byte(rest[3])], 4]
  return [null, 1]
}

const CUBE = [0, 95, 135, 175, 215, 255]

function paletteColor(index: number): number | Rgb {
  if (index < 16) return index
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10
    return [grey, grey, grey]
  }
  const cell = index - 16
  const part = (value: number) => CUBE[value % 6] ?? 0
  return [part(Math.floor(cell / 36)), part(Math.floor(cell / 6)), part(cell)]
}

/** Whether the text has an RGB colour on the log's background. */
function isOwn({ color, background, inverse }: AnsiStyle): boolean {
  return color !== null && typeof color === 'object' && background === null && !inverse
}

/** Classes of style.css for a span. */
export function ansiClasses(style: AnsiStyle): string[] {
  const classes: string[] = []
  if (typeof style.color === 'number') classes.push(`ansi-fg-${style.color}`)
  if (typeof style.background === 'number') classes.push(`ansi-bg-${style.background}`)
  if (isOwn(style)) classes.push('ansi-own')
  for (const name of ['bold', 'dim', 'italic', 'underline', 'inverse'] as const) {
    if (style[name]) classes.push(`ansi-${name}`)
  }
  return classes
}

/**
 * RGB colours, set through the CSSOM and adjusted until readable in the light and dark themes.
 * Palette and inverse text use classes that are readable in both.
 */
export function ansiColors(style: AnsiStyle): Record<string, string> {
  const { color, background } = style
  if (typeof background === 'number' || style.inverse) return {}
  if (background !== null) {
    const text = typeof color === 'object' && color !== null ? color : background
    return { backgroundColor: cssColor(background), color: cssColor(readableOn(text, background)) }
  }
  if (color === null || typeof color === 'number') return {}
  return {
    '--ansi-light': cssColor(readableOn(color, GROUNDS.light)),
    '--ansi-dark': cssColor(readableOn(color, GROUNDS.dark)),
  }
}
