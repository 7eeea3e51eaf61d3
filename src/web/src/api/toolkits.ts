import { useMutation, useQuery, useQueryClient } from '@tanstack/vue-query'
import { computed, type MaybeRefOrGetter, toValue } from 'vue'
import { api, authorizedFetch, bodyOf, type Schemas } from './client'
import { errorOf } from './problem'

export type Toolkit = Schemas['Toolkit']
type Installed = Schemas['InstalledToolkit']

/** All toolkits, and the catalogue of updates if the server has one. */
export function useToolkits() {
  return useQuery({
    queryKey: ['toolkits'],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/toolkits', { signal })),
  })
}

/** Reads the catalogue of updates; installs nothing. */
export function checkForUpdates(): Promise<Schemas['ToolkitList']> {
  return bodyOf(api.POST('/api/toolkit-updates'))
}

export function useToolkitReadme(slug: MaybeRefOrGetter<string>, version: MaybeRefOrGetter<string | null>) {
  return useQuery({
    queryKey: computed(() => ['toolkit', toValue(slug), 'readme', toValue(version)]),
    queryFn: async ({ signal }) => {
      const params = { path: { slug: toValue(slug) } }
      return (await bodyOf(api.GET('/api/toolkits/{slug}/readme', { params, signal }))).text
    },
  })
}

const paramsOf = (slug: string) => ({ params: { path: { slug } } })

/** Installs a toolkit that comes with the program. */
export function installToolkit(slug: string): Promise<Installed> {
  return bodyOf(api.POST('/api/toolkits/{slug}/install', paramsOf(slug)))
}

/** Upgrades to the version offered as the toolkit's update. */
export function updateToolkit(slug: string): Promise<Installed> {
  return bodyOf(api.POST('/api/toolkits/{slug}/update', paramsOf(slug)))
}

export function rollBackToolkit(slug: string): Promise<Installed> {
  return bodyOf(api.POST('/api/toolkits/{slug}/rollback', paramsOf(slug)))
}

export async function switchToolkit(slug: string, enabled: boolean): Promise<void> {
  await api.PATCH('/api/toolkits/{slug}', { ...paramsOf(slug), body: { enabled } })
}

export async function removeToolkit(slug: string): Promise<void> {
  await api.DELETE('/api/toolkits/{slug}', paramsOf(slug))
}

/** Installs or upgrades from a .zip archive. */
export async function uploadToolkit(archive: Blob): Promise<Installed> {
  const response = await authorizedFetch(
    new Request(new URL('/api/toolkits', location.origin), {
      method: 'POST',
      headers: { 'Content-Type': 'application/zip' },
      body: archive,
    }),
  )
  if (!response.ok) throw await errorOf(response)
  return (await response.json()) as Installed
}

/** Makes a change to toolkits, then refetches what it may have changed, even if it failed. */
export function useToolkitChange<T, R>(change: (given: T) => Promise<R>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSettled: () =>
      Promise.all(
        ['toolkits', 'runbooks', 'runbook'].map((key) => queries.invalidateQueries({ queryKey: [key] })),
      ),
  })
}
