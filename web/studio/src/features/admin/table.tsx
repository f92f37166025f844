// A table of the admin desk; on narrow screens each row is a card. The roles stay where the style takes them away.
import type { ReactNode } from "react";
import style from "./table.module.css";

export type Column<Row> = {
  readonly id: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  readonly isNumber?: boolean;
  /** The name of the row. */
  readonly isHead?: boolean;
  /** Its title is said to screen readers alone. */
  readonly isBare?: boolean;
};

type Props<Row> = {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
};

export function Table<Row>({ label, columns, rows, keyOf }: Props<Row>) {
  return (
    <div className={style["frame"]}>
      <table role="table" aria-label={label} className={style["table"]}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ id, title, isNumber, isBare }) => (
              <th key={id} role="columnheader" scope="col" data-number={isNumber || undefined}>
                {isBare ? <span className="visually-hidden">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={keyOf(row)} role="row">
              {columns.map(({ id, title, cell, isNumber, isHead, isBare }) =>
                isHead ? (
                  <th key={id} role="rowheader" scope="row">
                    {cell(row)}
                  </th>
                ) : (
                  <td key={id} role="cell" data-number={isNumber || undefined} data-title={isBare ? undefined : title}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
