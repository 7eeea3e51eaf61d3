import { expect, it, vi } from 'vitest'
import { ref } from 'vue'
import { useNavigation } from './navigation'

const allowed = ref<boolean>()
vi.mock('@/api/config', () => ({ usePermissions: () => ({ can: () => allowed.value }) }))

it('shows an entry that needs a permission only once the user is known to have it', () => {
  const items = useNavigation()
  const isShown = () => items.value.some(({ to }) => to === '/toolkits')
  expect(isShown()).toBe(false)
  allowed.value = true
  expect(isShown()).toBe(true)
  allowed.value = false
  expect(isShown()).toBe(false)
})
