import { mdiBookOpenVariant, mdiCogOutline, mdiHistory } from '@mdi/js'

export interface NavigationItem {
  text: string
  to: string
  icon: string
  keys: string
  /** Whether the page at this path belongs to the item. */
  covers: (path: string) => boolean
}

/** The entries of the main navigation. */
export const navigation: NavigationItem[] = [
  {
    text: 'Runbooks',
    to: '/runbooks',
    icon: mdiBookOpenVariant,
    keys: 'g r',
    covers: (path) => /^\/(runbooks?|execute)(\/|$)/.test(path),
  },
  {
    text: 'Runs',
    to: '/runs',
    icon: mdiHistory,
    keys: 'g u',
    covers: (path) => /^\/(runs?|compare)(\/|$)/.test(path),
  },
  {
    text: 'Admin',
    to: '/admin',
    icon: mdiCogOutline,
    keys: 'g a',
    covers: (path) => /^\/admin(\/|$)/.test(path),
  },
]
