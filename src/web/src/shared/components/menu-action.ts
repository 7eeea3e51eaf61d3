export interface MenuAction {
  text: string
  icon?: string
  /** Of the theme, such as `error`. */
  color?: string
  isDisabled?: boolean
  /** A page that it leads to. */
  to?: string
}
