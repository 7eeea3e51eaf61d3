import { expect, it } from 'vitest'
import { knownHtml } from './html-tags'

it.each([
  ['<B>x</B>', '<b>x</b>'],
  ['<a href=x title=\'"<q>\'>', '<a href="x" title="&quot;&lt;q>">'],
  ['<details open>\n<summary\n  class="a">', '<details open="">\n<summary class="a">'],
  ['<p onclick=x STYLE="y" align=center>', '<p align="center">'],
  ['<br/><hr />', '<br><hr>'],
  ['a < b <> <3 </>', 'a &lt; b &lt;> &lt;3 &lt;/>'],
  ['<p title="open', '&lt;p title="open'],
  ['<p a=b=c>', '&lt;p a=b=c>'],
  ['<script>if (a < b) x()</script>y', 'y'],
  ['<style>p {', ''],
  ['<scripted>x', 'x'],
  ['<!-- a <b> --><i>', '<i>'],
  ['<!--><i>', '<i>'],
  ['<!-- open <b>', ''],
  ['<!DOCTYPE html><?php x ?>y', 'y'],
  ['<x-y is=z><b/onclick=x>z', '&lt;b/onclick=x>z'],
  ['&lt;b&gt; &amp;', '&lt;b&gt; &amp;'],
])('of %j keeps what is known', (html, known) => {
  expect(knownHtml(html)).toBe(known)
})

it('takes no longer for a long text that means harm', () => {
  const started = performance.now()
  for (const text of ['<', '<a ', '<a b', '<a b="', '<!--', '<svg', '<svg>', "<p a='", '<a  ', '</']) knownHtml(text.repeat(20_000))
  knownHtml(`<a ${'b '.repeat(50_000)}`)
  knownHtml(`<a${' '.repeat(100_000)}`)
  expect(performance.now() - started).toBeLessThan(2_000)
})
