import type { Choice } from '@/api/choices'

/** More choices than these can be searched. */
export const FEW = 10

/** `pve1: 2 % of 4 cores`: a choice in one line. */
export function optionText({ label, description }: Choice): string {
  return description ? `${label}: ${description}` : label
}

/** The choices that have every word of the text. */
export function matching(choices: readonly Choice[], text: string): Choice[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return choices.filter((choice) => {
    const whole = `${choice.value} ${optionText(choice)}`.toLowerCase()
    return words.every((word) => whole.includes(word))
  })
}

/** The choice that the text names in full, by its value or its label. */
export function named(choices: readonly Choice[], text: string): Choice | undefined {
  const sought = text.trim()
  return choices.find(({ value }) => value === sought) ?? choices.find(({ label }) => label === sought)
}

/** What stands for a value: its label, and the value too unless the label has it. */
export function labelled(value: string, choices: readonly Choice[]): { label: string; value: string } {
  const label = choices.find((choice) => choice.value === value)?.label ?? value
  return { label, value: label.includes(value) ? '' : value }
}
