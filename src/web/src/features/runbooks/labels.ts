import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { ListFilter } from './grouping'

/** The filter in the page's URL. */
export function readListFilter(query: LocationQuery): ListFilter {
  return {
    access: query.access === 'mine' ? 'mine' : 'all',
    tags: [query.tag ?? []].flat().filter((tag): tag is string => tag !== null && tag !== ''),
    owner: typeof query.owner === 'string' ? query.owner : '',
  }
}

/** The URL's query with a tag added, or removed if it is already there. */
export function withTag(query: LocationQuery, tag: string): LocationQueryRaw {
  const { tags } = readListFilter(query)
  const others = tags.filter((one) => one.toLowerCase() !== tag.toLowerCase())
  const now = others.length < tags.length ? others : [...tags, tag]
  return { ...query, tag: now.length ? now : undefined }
}

/** The URL's query with this owner; with none if it is empty or already there. */
export function withOwner(query: LocationQuery, owner: string): LocationQueryRaw {
  const isThere = readListFilter(query).owner.toLowerCase() === owner.toLowerCase()
  return { ...query, owner: isThere ? undefined : owner }
}
