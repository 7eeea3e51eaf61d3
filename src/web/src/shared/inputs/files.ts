import type { GivenFile } from '@/api/runbooks'
import { FILE_LIMIT } from './fields'

/** Reads a file for a request. Throws an error worded like the engine's message. */
export async function readFile(name: string, file: File): Promise<GivenFile> {
  if (file.size > FILE_LIMIT) {
    throw new Error(`The file for ${name} is too large: ${file.size} bytes (max: 1 MiB)`)
  }
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(String(reader.result))
    reader.onerror = () => reject(new Error(`Couldn't read the file for ${name}`))
    reader.readAsDataURL(file)
  })
  return { name: file.name, content_base64: url.slice(url.indexOf(',') + 1) }
}

/** The number of bytes in a base64 text. */
export function bytesOf(content: string): number {
  return Math.floor((content.length * 3) / 4) - (content.match(/=+$/)?.[0].length ?? 0)
}
