import { watchEffect } from 'vue'

const APP = 'Runbooks'

export function appTitle(page?: string): string {
  return page && page !== APP ? `${page} · ${APP}` : APP
}

/** Sets the title of the tab while the page is shown. */
export function useTitle(page: () => string | undefined): void {
  watchEffect(() => {
    const title = page()
    if (title) document.title = appTitle(title)
  })
}
