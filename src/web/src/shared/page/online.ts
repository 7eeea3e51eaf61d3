import { ref, type Ref } from 'vue'

const online = ref(navigator.onLine)
addEventListener('online', () => (online.value = true))
addEventListener('offline', () => (online.value = false))

/** Whether the device has a network, as far as the browser knows. */
export function useOnline(): Readonly<Ref<boolean>> {
  return online
}
