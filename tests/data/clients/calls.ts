// Typed calls with openapi-fetch and the types that openapi-typescript generates. Prints what came
// back.
import createClient from 'openapi-fetch'
import type { components, paths } from './schema'

type Schemas = components['schemas']

function given<T>(reply: { data?: T; error?: unknown }): T {
  if (reply.data === undefined) throw new Error(JSON.stringify(reply.error))
  return reply.data
}

async function main(baseUrl: string) {
  const stranger = createClient<paths>({ baseUrl })
  const login: Schemas['Login'] = given(
    await stranger.POST('/dev-login', { body: { subject: 'ann', roles: ['sre'] } }),
  )
  const api = createClient<paths>({
    baseUrl,
    headers: { Authorization: `Bearer ${login.access_token}`, Accept: 'application/json' },
  })

  const { runbooks } = given(await api.GET('/api/runbooks'))
  const params = { path: { ref: runbooks[0]!.path } }
  const text: string = given(await api.GET('/api/runbooks/{ref}', { params })).content
  const inputs = given(await api.GET('/api/runbooks/{ref}/inputs', { params }))
  const report = given(await api.PATCH('/api/runbooks/{ref}/validate', { params }))
  const done: Schemas['Done'] = given(
    await api.POST('/api/runbooks/{ref}/execute', { params, body: { env_vars: { WHO: 'typed' } } }),
  ) as Schemas['Done']
  const bare = given(await api.POST('/api/runbooks/{ref}', { params })) as Schemas['Done']
  const run = { path: { run_id: done.run_id } }
  const whole = given(await api.GET('/api/runs/{run_id}', { params: run }))
  const log = given(await api.GET('/api/runs/{run_id}/log', { params: run, parseAs: 'text' }))
  const retried = given(await api.POST('/api/runs/{run_id}/retry', { params: run }))
  given(await api.POST('/api/runs/{run_id}/cancel', { params: run }))
  const query = { limit: 5, status: 'succeeded' }
  const page = given(await api.GET('/api/runs', { params: { query } }))

  console.log(
    JSON.stringify({
      inputs: Object.keys(inputs.properties),
      valid: report.success,
      output: done.stdout,
      bare: bare.stdout,
      accepted: text.length > 0,
      status: whole.status,
      log,
      retried: (retried as Schemas['Done']).stdout,
      listed: page.runs.some(({ id }) => id === done.run_id),
    }),
  )
}

void main(process.argv[2]!)
