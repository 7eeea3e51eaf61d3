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
    /** The page's title; pages about one thing set a better one with useTitle. */
    title?: string
    /** Without the app's bars, and without signing in. */
    bare?: boolean
  }
}

/** A ref, folder by folder: so its slashes stay slashes. `ref` itself cannot be a property. */
const refProps = ({ params }: RouteLocationNormalized) => ({ runbookRef: [params.ref].flat().join('/') })

export const routes: RouteRecordRaw[] = [
  // An address without what it is about leads to the list.
  ...['/', '/runbook', '/execute'].map((path) => ({ path, redirect: '/runbooks' })),
  ...['/run', '/compare'].map((path) => ({ path, redirect: '/runs' })),
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
    path: '/admin',
    name: 'admin',
    meta: { title: 'Admin' },
    component: () => import('@/features/admin/AdminPage.vue'),
  },
  {
    path: '/:path(.*)*',
    name: 'missing',
    meta: { title: 'Not found' },
    component: () => import('@/shell/MissingPage.vue'),
  },
]

export function createWebRouter() {
  const router = createRouter({
    history: createWebHistory(),
    routes,
    // Within a page the address says what is selected or searched for: nothing moves. A page
    // shows the place that it is opened at by itself.
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
