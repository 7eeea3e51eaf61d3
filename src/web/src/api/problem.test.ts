import { expect, it } from 'vitest'
import { adviceFor, errorOf } from './problem'

it('takes the text, the code and the ids of a problem', async () => {
  const body = { status: 403, code: 'access_denied', title: 'Access denied', detail: 'Why.',
    errors: ['one', { message: 'two' }], correlation_id: 'c-1' }
  const error = await errorOf(new Response(JSON.stringify(body), { status: 403 }))
  expect(error).toMatchObject({
    message: 'Why.', code: 'access_denied', correlationId: 'c-1', errors: ['one', 'two'],
    passing: false,
  })
  expect(adviceFor(error)).toContain('claims')
})

it('makes do with a reply that is no problem', async () => {
  const headers = { 'X-Correlation-Id': 'c-2' }
  const error = await errorOf(new Response('<h1>Bad gateway</h1>', { status: 502, headers }))
  expect(error).toMatchObject({ status: 502, correlationId: 'c-2', passing: true })
  expect(adviceFor(error)).toContain('correlation ID')
})
