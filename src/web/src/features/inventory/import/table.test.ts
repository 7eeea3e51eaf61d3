import { expect, it } from 'vitest'
import { changesOf, columnsOf, lineAt, mistakesOf } from './table'

const TABLE = 'name;site;tags\nedge-1;fra;core\nedge-2;a,b;x'

it('reads the heading as the server does', () => {
  expect(columnsOf(TABLE)).toEqual(['name', 'site', 'tags'])
  expect(columnsOf('\uFEFFname, site\r\n')).toEqual(['name', 'site'])
})

it('finds lines, also the last one and those that are not there', () => {
  const text = (line: number) => TABLE.slice(lineAt(TABLE, line).start, lineAt(TABLE, line).end)
  expect([text(1), text(3), text(9)]).toEqual(['name;site;tags', 'edge-2;a,b;x', 'edge-2;a,b;x'])
})

it('names each mistake by line and column, in order', () => {
  const problem = (line: number, column: number, hint: string | null = null) =>
    ({ code: 'bad_device_field', params: { column }, message: 'wrong', hint, line }) as never
  expect(mistakesOf([problem(3, 2), problem(2, 1, 'Do this'), problem(3, 9)], TABLE)).toEqual([
    { line: 2, column: 'name', text: 'wrong. Do this', row: 'edge-1;fra;core' },
    { line: 3, column: 'site', text: 'wrong', row: 'edge-2;a,b;x' },
    { line: 3, column: '', text: 'wrong', row: 'edge-2;a,b;x' },
  ])
})

it('shows what changes, new devices first', () => {
  const changed = [{
    name: 'edge-1', fields: ['tags', 'connection'],
    before: { tags: ['a', 'b'], connection: null }, after: { tags: [], connection: 'routers' },
  }]
  expect(changesOf({ added: ['edge-9'], changed })).toEqual([
    { name: 'edge-9', isNew: true, fields: [] },
    {
      name: 'edge-1', isNew: false,
      fields: [
        { name: 'tags', before: 'a, b', after: '' }, { name: 'connection', before: '', after: 'routers' },
      ],
    },
  ])
})
