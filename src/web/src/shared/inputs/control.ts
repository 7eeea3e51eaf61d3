import type { Field } from './field'

/** The props of every control, besides its value. */
export interface ControlProps {
  id: string
  field: Field
  describedBy: string
  faulty: boolean
}
