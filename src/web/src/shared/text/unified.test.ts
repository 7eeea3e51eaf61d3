import { expect, it } from 'vitest'
import { sumOf, unifiedLines } from './unified'

const DIFF = `--- edge-1 latest
+++ edge-1 running
@@ -1,3 +1,4 @@ /ip address
 /ip address
-add address=10.0.0.1/24
+add address=10.0.0.2/24
++x

@@ -9 +10 @@
-a
\\ No newline at end of file
--- other
+++ other
@@ -1 +1 @@
--- x
`

it('numbers the lines of each hunk', () => {
  const lines = unifiedLines(DIFF)
  expect(lines.map(({ kind, before, after }) => [kind[0], before, after])).toEqual([
    ['s', null, null], ['s', null, null], ['s', null, null],
    ['s', 1, 1], ['r', 2, null], ['a', null, 2], ['a', null, 3], ['s', 3, 4],
    ['s', null, null], ['r', 9, null], ['s', null, null],
    ['s', null, null], ['s', null, null], ['s', null, null], ['s', null, null],
  ])
  expect(lines[6]?.text).toBe('+x')
  expect(sumOf(lines)).toEqual({ added: 2, removed: 2 })
})

it('takes any text', () => {
  expect(unifiedLines('hello').map(({ kind }) => kind)).toEqual(['skipped'])
})
