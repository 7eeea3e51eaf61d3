import type { Field } from './field'

/** What every control is given beside its value. */
export interface ControlProps {
  id: string
  field: Field
  describedBy: string
  faulty: boolean
}
