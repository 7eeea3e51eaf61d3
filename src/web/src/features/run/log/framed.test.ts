import { expect, it } from 'vitest'
import { isErrorOutput } from './framed'

const RUN_ID = '0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11'
const isError = (text: string, stream = 'stderr') => isErrorOutput({ stream, text })

it('takes what a called run prints for what it is', () => {
  const others = [
    `┌ a/Child.md run ${RUN_ID}`,
    '┊ printed',
    '┊ ',
    `┊ ┌ Grandchild.md run ${RUN_ID}`,
    '┊ ┊ deep',
    '┃ ┊ deep, in an older frame',
    '└ a/Child.md failed with return code 3 after 0.1 s',
  ]
  expect(others.filter((text) => isError(text))).toEqual([])
  expect(['┃ wrong', '┃ ┃ wrong, deep', 'wrong'].filter((text) => !isError(text))).toEqual([])
})

it('takes boxes for what the script itself prints', () => {
  expect(['│ a table │', '┌ a table ┐', '└ took after 3 s', '┊'].filter((text) => !isError(text))).toEqual([])
})

it('finds no stderr on stdout', () => {
  expect(isError('┃ merged by 2>&1', 'stdout')).toBe(false)
})
