import { type FunctionalComponent, h } from 'vue'
import { piecesOf, BIDI_CONTROL_TITLE } from '@/shared/text/bidi'

/** Verbatim code with visible direction controls, which are copied unchanged. */
const CodeText: FunctionalComponent<{ text: string }> = ({ text }) =>
  piecesOf(text).map(({ text: piece, control }) =>
    control ? h('span', { class: 'code-turn', 'data-turn': control, title: BIDI_CONTROL_TITLE }, piece) : piece,
  )
CodeText.props = { text: { type: String, required: true } }
export default CodeText
