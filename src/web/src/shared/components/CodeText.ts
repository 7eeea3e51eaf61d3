import { type FunctionalComponent, h } from 'vue'
import { piecesOf, TURN_TITLE } from '@/shared/bidi'

/** Code as it is: hidden characters that turn the direction of text are seen, and copied as they are. */
const CodeText: FunctionalComponent<{ text: string }> = ({ text }) =>
  piecesOf(text).map(({ text: piece, turn }) =>
    turn ? h('span', { class: 'code-turn', 'data-turn': turn, title: TURN_TITLE }, piece) : piece,
  )
CodeText.props = { text: { type: String, required: true } }
export default CodeText
