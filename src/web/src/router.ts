import {
  createRouter,
  createWebHistory,
  type RouteLocationNormalized,
  type RouteRecordRaw,
} from 'vue-router'
import { session } from '@/auth/session'
import { appTitle } from '@/shared/page/title'

declare module 'vue-router' {
  interface RouteMeta {
    /** The page's title; pages about a single runbook or run set theirs with useTitle. */
    title?: string
    /** Shown without the app's bars and without signing in. */
    bare?: boolean
  }
}

/** A ref, split by folder so that slashes are not escaped. `ref` itself cannot be a prop. */
const refProps = ({ params }: RouteLocationNormalized) => ({ runbookRef: [params.ref].flat().join('/') })

export const routes: RouteRecordRaw[] = [
  // A URL without an id or ref leads to the list.
  ...['/', '/runbook', '/execute'].map((path) => ({ path, redirect: '/runbooks' })),
  ...['/run', '/compare'].map((path) => ({ path, redirect: '/runs' })),
  { path: '/connection', redirect: '/connections' },
  { path: '/device', redirect: '/inventory' },
  {
    path: '/login',
    name: 'login',
    meta: { title: 'Sign in', bare: true },
    component: () => import('@/features/signin/SignInPage.vue'),
  },
  {
    path: '/runbooks',
    name: 'runbooks',
    meta: { title: 'Runbooks' },
    component: () => import('@/features/runbooks/RunbooksPage.vue'),
  },
  {
    path: '/runbook/:ref+',
    name: 'runbook',
    meta: { title: 'Runbook' },
    component: () => import('@/features/runbook/RunbookPage.vue'),
    props: refProps,
  },
  {
    path: '/execute/:ref+',
    name: 'execute',
    meta: { title: 'Execute' },
    component: () => import('@/features/execute/ExecutePage.vue'),
    props: refProps,
  },
  {
    path: '/runs',
    name: 'runs',
    meta: { title: 'Runs' },
    component: () => import('@/features/runs/RunsPage.vue'),
  },
  {
    path: '/run/:id',
    name: 'run',
    meta: { title: 'Run' },
    component: () => import('@/features/run/RunPage.vue'),
    props: true,
  },
  {
    path: '/compare/:a/:b',
    name: 'compare',
    meta: { title: 'Compare runs' },
    component: () => import('@/features/runs/ComparePage.vue'),
    props: true,
  },
  {
    path: '/toolkits',
    name: 'toolkits',
    meta: { title: 'Toolkits' },
    component: () => import('@/features/toolkits/ToolkitsPage.vue'),
  },
  {
    path: '/connections',
    name: 'connections',
    meta: { title: 'Connections' },
    component: () => import('@/features/connections/ConnectionsPage.vue'),
  },
  {
    path: '/connections/new',
    name: 'new-connection',
    meta: { title: 'Add connection' },
    component: () => import('@/features/connections/NewConnectionPage.vue'),
  },
  {
    path: '/connection/:name',
    name: 'connection',
    meta: { title: 'Connection' },
    component: () => import('@/features/connections/ConnectionPage.vue'),
    props: true,
  },
  {
    path: '/inventory',
    name: 'inventory',
    meta: { title: 'Inventory' },
    component: () => import('@/features/inventory/InventoryPage.vue'),
  },
  {
    path: '/inventory/new',
    name: 'new-device',
    meta: { title: 'Add device' },
    component: () => import('@/features/inventory/edit/NewDevicePage.vue'),
  },
  {
    path: '/inventory/import',
    name: 'import-devices',
    meta: { title: 'Import devices' },
    component: () => import('@/features/inventory/import/ImportPage.vue'),
  },
  {
    path: '/device/:name/configuration',
    name: 'configuration',
    meta: { title: 'Configuration' },
    component: () => import('@/features/inventory/configuration/ConfigurationPage.vue'),
    props: true,
  },
  {
    path: '/device/:name',
    name: 'device',
    meta: { title: 'Device' },
    component: () => import('@/features/inventory/DevicePage.vue'),
    props: true,
  },
  {
    path: '/admin',
    name: 'admin',
    meta: { title: 'Admin' },
    component: () => import('@/features/admin/AdminPage.vue'),
  },
  {
    path: '/:path(.*)*',
    name: 'missing',
    meta: { title: 'Page not found' },
    component: () => import('@/shell/MissingPage.vue'),
  },
]

export function createWebRouter() {
  const router = createRouter({
    history: createWebHistory(),
    routes,
    // Within a page, the URL holds the selection and the search: don't scroll. A page
    // scrolls to its initial anchor itself.
    scrollBehavior: (to, from, saved) =>
      saved ?? (to.path === from.path || to.hash ? false : { top: 0 }),
  })
  router.beforeEach((to) => {
    if (to.meta.bare || session.current) return true
    return { name: 'login', query: { to: to.fullPath } }
  })
  router.afterEach((to) => {
    document.title = appTitle(to.meta.title)
  })
  return router
}
