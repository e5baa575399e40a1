/**
 * Rows of numbers in shared memory that grow by whole pages, so that a view
 * made earlier stays good for ever. The main thread allocates; workers map the
 * pages they are sent.
 */
const ROWS_PER_PAGE = 1024;

export type RowArray = Int32Array | Float64Array;

/** What crosses to another thread: pages are shared, not copied. */
export interface SharedRowsMemory {
  readonly columns: number;
  readonly pages: readonly SharedArrayBuffer[];
}

export class SharedRows<A extends RowArray> {
  readonly columns: number;
  readonly #rowsPerPage: number;
  readonly #make: (memory: SharedArrayBuffer) => A;
  readonly #bytesPerCell: number;
  readonly #buffers: SharedArrayBuffer[] = [];
  readonly #views: A[] = [];

  private constructor(columns: number, rowsPerPage: number, bytesPerCell: number, make: (memory: SharedArrayBuffer) => A) {
    this.columns = columns;
    this.#rowsPerPage = rowsPerPage;
    this.#bytesPerCell = bytesPerCell;
    this.#make = make;
  }

  static int32(columns: number, rowsPerPage = ROWS_PER_PAGE): SharedRows<Int32Array> {
    return new SharedRows(columns, rowsPerPage, 4, (memory) => new Int32Array(memory));
  }

  static float64(columns: number, rowsPerPage = ROWS_PER_PAGE): SharedRows<Float64Array> {
    return new SharedRows(columns, rowsPerPage, 8, (memory) => new Float64Array(memory));
  }

  /** Makes rows 0 … row exist. Main thread only. */
  ensure(row: number): void {
    while (row >= this.#buffers.length * this.#rowsPerPage) {
      this.#map(new SharedArrayBuffer(this.#rowsPerPage * this.columns * this.#bytesPerCell));
    }
  }

  /** Maps pages made by the main thread; those already known are skipped. */
  adopt(memory: SharedRowsMemory): void {
    for (const page of memory.pages.slice(this.#buffers.length)) this.#map(page);
  }

  memory(): SharedRowsMemory {
    return { columns: this.columns, pages: [...this.#buffers] };
  }

  /** The page's array and the index of the row's first cell in it. */
  at(row: number): { cells: A; base: number } {
    const cells = this.#views[Math.floor(row / this.#rowsPerPage)];
    if (cells === undefined) throw new Error(`row ${row} is not mapped`);
    return { cells, base: (row % this.#rowsPerPage) * this.columns };
  }

  #map(page: SharedArrayBuffer): void {
    this.#buffers.push(page);
    this.#views.push(this.#make(page));
  }
}
