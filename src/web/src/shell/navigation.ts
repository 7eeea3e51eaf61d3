import {
  mdiBookOpenVariant,
  mdiCogOutline,
  mdiConnection,
  mdiHistory,
  mdiRouterNetwork,
  mdiToolboxOutline,
} from '@mdi/js'
import { computed } from 'vue'
import { usePermissions } from '@/api/config'

export interface NavigationItem {
  text: string
  to: string
  icon: string
  keys: string
  /** Whether the page at this path belongs to the item. */
  covers: (path: string) => boolean
  /** Who lacks it doesn't see the item. */
  permission?: string
}

/** The entries of the main navigation. */
const ITEMS: readonly NavigationItem[] = [
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
    text: 'Toolkits',
    to: '/toolkits',
    icon: mdiToolboxOutline,
    keys: 'g t',
    covers: (path) => /^\/toolkits(\/|$)/.test(path),
    permission: 'toolkit.read',
  },
  {
    text: 'Connections',
    to: '/connections',
    icon: mdiConnection,
    keys: 'g c',
    covers: (path) => /^\/connections?(\/|$)/.test(path),
    permission: 'connection.read',
  },
  {
    text: 'Inventory',
    to: '/inventory',
    icon: mdiRouterNetwork,
    keys: 'g i',
    covers: (path) => /^\/(inventory|device)(\/|$)/.test(path),
    permission: 'inventory.read',
  },
  {
    text: 'Admin',
    to: '/admin',
    icon: mdiCogOutline,
    keys: 'g a',
    covers: (path) => /^\/admin(\/|$)/.test(path),
  },
]

/** The entries for this user; until the permissions are known, those that need none. */
export function useNavigation() {
  const { can } = usePermissions()
  return computed(() => ITEMS.filter(({ permission }) => !permission || can(permission)))
}
