import { type FunctionalComponent, h } from 'vue'
import { piecesOf, BIDI_CONTROL_TITLE } from '@/shared/text/bidi'

/** Code as it is: hidden characters that turn the direction of text are seen, and copied as they are. */
const CodeText: FunctionalComponent<{ text: string }> = ({ text }) =>
  piecesOf(text).map(({ text: piece, control }) =>
    control ? h('span', { class: 'code-turn', 'data-turn': control, title: BIDI_CONTROL_TITLE }, piece) : piece,
  )
CodeText.props = { text: { type: String, required: true } }
export default CodeText
