declare module 'lz4js' {
  /** An upper bound of the frame's content in bytes. @throws where the frame's header is none */
  export function decompressBound(frame: Uint8Array): number;
  /** @param target filled from its beginning; what would go beyond its end is lost. @returns how many bytes the content has */
  export function decompressFrame(frame: Uint8Array, target: Uint8Array): number;
  export function compress(content: Uint8Array): Uint8Array;
}
