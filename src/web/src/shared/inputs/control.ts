import type { Field } from './fields'

/** What every control is given beside its value. */
export interface ControlProps {
  id: string
  field: Field
  describedBy: string
  faulty: boolean
}
