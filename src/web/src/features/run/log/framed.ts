/** A line of a called run's frame that is not standard error of any run: as in script/frame.py. */
const FRAMED = /^(?:┃ )*(?:┊ |┌ .+ run [0-9a-f-]{36}$|└ .+ after \d+\.\d s$)/u

/**
 * Whether a script printed the line to stderr: that of the run, or of a run that it called. A
 * called run's whole output comes in a frame on the caller's stderr.
 */
export function isErrorOutput(line: { stream: string; text: string }): boolean {
  return line.stream === 'stderr' && !FRAMED.test(line.text)
}
