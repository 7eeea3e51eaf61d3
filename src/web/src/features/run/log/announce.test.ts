import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, nextTick, type Ref, ref, watch } from 'vue'
import { useAnnouncements } from './announce'

let scope = effectScope()
const count = ref(0)
const isLive = ref(true)
const run = ref('first')
let spoken: Readonly<Ref<string>>
/** Each change of the text: what is heard. */
let heard: string[] = []

beforeEach(() => {
  vi.useFakeTimers()
  count.value = 10
  isLive.value = true
  run.value = 'first'
  heard = []
  scope = effectScope()
  scope.run(() => {
    spoken = useAnnouncements(
      () => run.value,
      () => count.value,
      () => isLive.value,
    )
    watch(spoken, (text) => heard.push(text), { flush: 'sync' })
  })
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
})

async function print(lines: number, ms = 0) {
  count.value += lines
  await nextTick()
  vi.advanceTimersByTime(ms)
}

it('says nothing of what stood there before, nor at once', async () => {
  vi.advanceTimersByTime(10_000)
  await print(5, 1_900)
  expect(heard).toEqual([])
  vi.advanceTimersByTime(100)
  expect(heard).toEqual(['5 new lines of output, 15 total'])
})

it('says one sentence of all that comes within two seconds', async () => {
  for (let at = 0; at < 40; at += 1) await print(1, 100)
  expect(heard).toEqual(['20 new lines of output, 30 total', '20 new lines of output, 50 total'])
})

it('says a single line as one', async () => {
  await print(1, 2_000)
  expect(spoken.value).toBe('1 new line of output, 11 total')
})

it('tells the same number of lines again, as another text: a text that stays is not heard', async () => {
  await print(3, 2_000)
  await print(3, 2_000)
  expect(new Set(heard).size).toBe(2)
})

it('is silent where the run is not live, and does not count that later', async () => {
  isLive.value = false
  await print(100, 5_000)
  expect(heard).toEqual([])
  isLive.value = true
  await print(2, 2_000)
  expect(heard).toEqual(['2 new lines of output, 112 total'])
})

it('tells the last lines of a run that ends meanwhile', async () => {
  await print(4, 500)
  isLive.value = false
  await print(1, 2_000)
  expect(heard).toEqual(['5 new lines of output, 15 total'])
})

it('does not take the lines of another run for new ones', async () => {
  await print(1, 500)
  run.value = 'second'
  await print(500, 3_000)
  expect(heard).toEqual([])
  await print(2, 2_000)
  expect(heard).toEqual(['2 new lines of output, 513 total'])
})

it('says nothing once the page is left', async () => {
  await print(1, 500)
  scope.stop()
  vi.advanceTimersByTime(5_000)
  expect(heard).toEqual([])
})
