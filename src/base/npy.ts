/** NumPy's file header, version 1.0: it ends with a line feed on a multiple of 64 bytes. @param description the dict, in Python's words */
export function npyHeader(description: string): Uint8Array<ArrayBuffer> {
  const bytes = Math.ceil((10 + description.length + 1) / 64) * 64;
  const header = new TextEncoder().encode(`\u0000NUMPY\u0001\u0000\u0000\u0000${description.padEnd(bytes - 11)}\n`);
  header[0] = 0x93;
  new DataView(header.buffer).setUint16(8, bytes - 10, true);
  return header;
}

const kinds = { float32: '<f4', uint8: '|u1' } as const;

/** An array as `numpy.load` reads it, row-major. Every machine that runs a browser is little-endian, as the header says. */
export function npyFile(values: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>, shape: readonly number[]): Blob {
  const kind = kinds[values instanceof Uint8Array ? 'uint8' : 'float32'];
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  return new Blob([npyHeader(`{'descr': '${kind}', 'fortran_order': False, 'shape': (${sides}), }`), values], { type: 'application/octet-stream' });
}
