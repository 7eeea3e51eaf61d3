import { describe, expect, it } from 'vitest'
import { ansiClasses, ansiColors, parseAnsi, PLAIN, stripAnsi } from './ansi'

const ESC = '\u001b'

function looks(line: string) {
  return parseAnsi(line)[0].map((span) => [span.text, ...ansiClasses(span.style)])
}

describe('parseAnsi', () => {
  it('leaves plain text as one span', () => {
    expect(looks('hello')).toEqual([['hello']])
  })
  it('reads colours, their brighter ones, and the end of them', () => {
    expect(looks(`${ESC}[31mred${ESC}[1;92mgreen${ESC}[0mplain`)).toEqual([
      ['red', 'ansi-fg-1'],
      ['green', 'ansi-fg-10', 'ansi-bold'],
      ['plain'],
    ])
  })
  it('reads backgrounds and switches them off', () => {
    expect(looks(`${ESC}[44;7mx${ESC}[49;27my${ESC}[101mz`)).toEqual([
      ['x', 'ansi-bg-4', 'ansi-inverse'],
      ['y'],
      ['z', 'ansi-bg-9'],
    ])
  })
  it('reads 256 and true colours', () => {
    const [spans] = parseAnsi(
      `${ESC}[38;5;196ma${ESC}[38;5;244mb${ESC}[48;2;1;2;300mc${ESC}[38;5;3;4md`,
    )
    expect(spans.map(({ style }) => [style.color, style.background])).toEqual([
      [[255, 0, 0], null],
      [[128, 128, 128], null],
      [[128, 128, 128], [1, 2, 255]],
      [3, [1, 2, 255]],
    ])
    expect(ansiClasses(spans[3]?.style ?? PLAIN)).toEqual(['ansi-fg-3', 'ansi-underline'])
  })
  it('hands the style on to the next line', () => {
    const [, style] = parseAnsi(`${ESC}[33mbegins`)
    expect(parseAnsi('goes on', style)[0][0]?.style.color).toBe(3)
  })
})

describe('ansiColors', () => {
  it('gives what was asked for where it can be read', () => {
    const style = { ...PLAIN, color: [0, 0, 200] as const }
    expect(ansiColors(style)['--ansi-light']).toBe('rgb(0, 0, 200)')
    expect(ansiColors(style)['--ansi-dark']).not.toBe('rgb(0, 0, 200)')
    expect(ansiClasses(style)).toEqual(['ansi-own'])
  })
  it('gives text on a ground of its own a colour that can be read there', () => {
    const yellow = { ...PLAIN, background: [255, 255, 0] as const }
    expect(ansiColors(yellow)).toMatchObject({ backgroundColor: 'rgb(255, 255, 0)' })
    expect(ansiColors({ ...yellow, color: [0, 0, 0] })).toMatchObject({ color: 'rgb(0, 0, 0)' })
    expect(ansiClasses({ ...yellow, color: [0, 0, 0] })).toEqual([])
  })
  it('leaves the palette and inverse text to their classes', () => {
    expect(ansiColors({ ...PLAIN, color: 3 })).toEqual({})
    expect(ansiColors({ ...PLAIN, color: [0, 0, 0], inverse: true })).toEqual({})
  })
})

describe('stripAnsi', () => {
  it('leaves out what moves cursors, names windows and rings bells', () => {
    expect(stripAnsi(`a${ESC}[2Kb${ESC}]0;title\u0007c${ESC}(Bd\u0007${ESC}[?25he`)).toBe('abcde')
  })
  it('keeps the last text of a line that was begun anew', () => {
    expect(stripAnsi('10%\r50%\r100%')).toBe('100%')
    expect(stripAnsi('done\r')).toBe('done')
  })
  it('leaves out a sequence that was cut', () => {
    expect(stripAnsi(`a${ESC}[3`)).toBe('a')
    expect(stripAnsi(`a${ESC}]8;;http://x`)).toBe('a')
  })
})
