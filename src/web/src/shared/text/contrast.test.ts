import { expect, it } from 'vitest'
import { BLACK, contrast, readableOn, type Rgb, WHITE } from './contrast'

const GROUNDS: Rgb[] = [WHITE, BLACK, [13, 17, 23], [128, 128, 128], [255, 135, 0]]

it('knows the contrasts of the specification', () => {
  expect(contrast(BLACK, WHITE)).toBeCloseTo(21)
  expect(contrast(WHITE, WHITE)).toBe(1)
  expect(contrast([119, 119, 119], WHITE)).toBeCloseTo(4.48, 2)
})

it('leaves alone what can be read', () => {
  expect(readableOn([0, 0, 200], WHITE)).toEqual([0, 0, 200])
})

it('makes every colour readable on every ground', () => {
  for (const ground of GROUNDS) {
    for (let n = 0; n < 512; n += 1) {
      const color: Rgb = [(n >> 6) * 36, ((n >> 3) & 7) * 36, (n & 7) * 36]
      expect(contrast(readableOn(color, ground), ground)).toBeGreaterThanOrEqual(4.5)
    }
  }
})
