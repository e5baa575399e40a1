/**
 * The Huffman code of HPACK (RFC 7541 §5.2, Appendix B). Pure. The code is
 * canonical: shorter codes come first, and of one length those of smaller
 * symbols, so the lengths alone say everything.
 */

/** Length of each byte's code, one digit of base 36 each. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss' +
  '6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6' +
  'f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnno' +
  'mlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrr' +
  'koklmllnmmppooqnqrqqrrrrrsrrrrrq';
const EOS = 256;
const EOS_LENGTH = 30;

const codes = new Uint32Array(256);
const lengths = new Uint8Array(256);

/** Steps of four bits: no code is shorter than five, so a step ends at most one. */
const STEP_BITS = 4;
const STATES = 256;
/** Next state, and above it the byte that the step ends plus one (0: none); -1: no code goes there. */
const steps = new Int32Array(STATES << STEP_BITS).fill(-1);
/** 1 for states in which a text may end: the bits since its last byte are fewer than eight, and all ones (§5.2). */
const mayEnd = new Uint8Array(STATES);

/** Inner nodes of the tree: two children each; negative: the leaf of symbol -1 - child. */
const children: number[] = [];

function addNode(): number {
  children.push(0, 0);
  return children.length / 2 - 1;
}

function addCode(code: number, length: number, symbol: number): void {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit--) {
    const at = node * 2 + ((code >>> bit) & 1);
    if (children[at] === 0) {
      const child = addNode();
      children[at] = child;
    }
    node = children[at]!;
  }
  children[node * 2 + (code & 1)] = -1 - symbol;
}

function buildCodes(): void {
  addNode();
  let code = 0;
  for (let length = 1; length <= EOS_LENGTH; length++) {
    for (let symbol = 0; symbol <= EOS; symbol++) {
      const own = symbol === EOS ? EOS_LENGTH : parseInt(LENGTHS[symbol]!, 36);
      if (own !== length) continue;
      if (symbol < EOS) {
        codes[symbol] = code;
        lengths[symbol] = length;
      }
      addCode(code, length, symbol);
      code++;
    }
    code *= 2;
  }
}

function buildSteps(): void {
  for (let state = 0; state < STATES; state++) {
    for (let nibble = 0; nibble < 1 << STEP_BITS; nibble++) steps[(state << STEP_BITS) | nibble] = stepFrom(state, nibble);
  }
  let node = 0;
  for (let bits = 0; bits < 8; bits++) {
    mayEnd[node] = 1;
    node = children[node * 2 + 1]!;
  }
}

function stepFrom(state: number, nibble: number): number {
  let node = state;
  let ended = 0;
  for (let bit = STEP_BITS - 1; bit >= 0; bit--) {
    const child = children[node * 2 + ((nibble >>> bit) & 1)]!;
    if (child === -1 - EOS) return -1;
    if (child < 0) ended = -child;
    node = child < 0 ? 0 : child;
  }
  return (ended << 8) | node;
}

buildCodes();
buildSteps();

/** Most bytes that so many coded ones decode to. */
export function decodedLengthMax(length: number): number {
  return Math.ceil((length * 8) / 5);
}

/** Decodes bytes[start, end) to `out` at `at`, where there is room; returns the end of the text, or -1 if it is no code. */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let state = 0;
  let to = at;
  for (let pos = start; pos < end; pos++) {
    const byte = bytes[pos]!;
    let step = steps[(state << STEP_BITS) | (byte >>> 4)]!;
    if (step < 0) return -1;
    if (step > 255) out[to++] = (step >> 8) - 1;
    step = steps[((step & 255) << STEP_BITS) | (byte & 15)]!;
    if (step < 0) return -1;
    if (step > 255) out[to++] = (step >> 8) - 1;
    state = step & 255;
  }
  return mayEnd[state] === 1 ? to : -1;
}

/** Bytes that bytes[start, end) encode to. */
export function huffmanLength(bytes: Uint8Array, start: number, end: number): number {
  let bits = 0;
  for (let pos = start; pos < end; pos++) bits += lengths[bytes[pos]!]!;
  return (bits + 7) >>> 3;
}

/** Encodes bytes[start, end) to `out` at `at`, where there is room; returns the end. */
export function encodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  let to = at;
  let held = 0;
  let heldBits = 0;
  for (let pos = start; pos < end; pos++) {
    const byte = bytes[pos]!;
    const code = codes[byte]!;
    let left = lengths[byte]!;
    // At most seven bits are held, so that codes of up to 30 are put in by parts of 24.
    while (left > 0) {
      const taken = Math.min(left, 24);
      held = (held << taken) | ((code >>> (left - taken)) & ((1 << taken) - 1));
      heldBits += taken;
      left -= taken;
      while (heldBits >= 8) {
        heldBits -= 8;
        out[to++] = held >>> heldBits;
      }
      held &= 255;
    }
  }
  if (heldBits > 0) out[to++] = (held << (8 - heldBits)) | (255 >>> heldBits);
  return to;
}
