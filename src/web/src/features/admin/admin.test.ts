import { expect, test } from 'vitest'
import { claimText, formatBytes, isolationText, matchingSettings, readable } from './admin'

test('sizes have the unit that people read', () => {
  expect(formatBytes(512)).toBe('512 bytes')
  expect(formatBytes(1536)).toBe('1.5 KiB')
  expect(formatBytes(5 * 2 ** 30)).toBe('5 GiB')
})

test('the isolation of scripts is named, with their user if it is another one', () => {
  expect(isolationText({ mode: 'bwrap', user: '', notes: [] })).toBe('Sandbox')
  expect(isolationText({ mode: 'process', user: 'runner', notes: [] })).toBe('No sandbox, as runner')
})

test('settings that are sizes and spans can be read', () => {
  expect(readable('MAX_OUTPUT_SIZE_BYTES', '10485760')).toBe('10 MiB')
  expect(readable('SCRIPT_TIMEOUT_SECONDS', '600.0')).toBe('10 min')
  expect(readable('JWT_TTL_MINUTES', '480')).toBe('8 h')
  expect(readable('SCRIPT_MAX_FILE_BYTES', '0')).toBeNull()
  expect(readable('API_PORT', '8083')).toBeNull()
  expect(readable('DATA_DIR', '')).toBeNull()
})

test('claims are shown as text, moments also as times', () => {
  expect(claimText('roles', ['sre', 'api'])).toBe('sre, api')
  expect(claimText('exp', 1_769_178_782)).toMatch(/^1769178782 \(2026-01-2\d /)
  expect(claimText('nested', { a: 1 })).toBe('{"a":1}')
})

test('settings are found by name and value, all or Modified only', () => {
  const items = [
    { name: 'API_PORT', value: '8083', from: 'default' as const },
    { name: 'DATA_DIR', value: '/data', from: 'environment' as const },
  ]
  expect(matchingSettings(items, 'port 80', false)).toHaveLength(1)
  expect(matchingSettings(items, '', true)).toEqual([items[1]])
  expect(matchingSettings(items, 'nothing', false)).toEqual([])
})
