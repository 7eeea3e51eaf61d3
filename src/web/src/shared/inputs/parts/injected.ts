import { inject, type InjectionKey, provide } from 'vue'
import type { InputForm } from '../form'

const KEY: InjectionKey<InputForm> = Symbol('form')

/** Lets the controls of lists and live choices see the whole form. */
export function provideForm(form: InputForm): void {
  provide(KEY, form)
}

/** The form around a control. */
export function useForm(): InputForm {
  const form = inject(KEY)
  if (!form) throw new Error('This control needs a form around it')
  return form
}
