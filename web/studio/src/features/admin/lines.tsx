// Lines of an account's ledger.
import { Link } from "wouter";
import { useText } from "../../app/locale.tsx";
import type { LinePartsFragment } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { useFormat } from "./format.ts";
import { Table } from "./table.tsx";
import style from "./admin.module.css";

export function LineTable({ lines }: { readonly lines: readonly LinePartsFragment[] }) {
  const { person: t, types, when } = useText(admin);
  const format = useFormat();
  return (
    <Table
      label={t.part.ledger} rows={lines} keyOf={({ id }) => id}
      columns={[
        {
          id: "what", title: t.what, isHead: true,
          cell: ({ description, generation }) =>
            generation ? <Link href={`/admin/pictures/${generation.id}`}>{description}</Link> : description,
        },
        { id: "type", title: t.type, cell: ({ type }) => types[type] ?? type },
        {
          id: "amount", title: t.amount, isNumber: true,
          cell: ({ amount }) => <span className={style[amount < 0 ? "minus" : "plus"]}>{format.signed(amount)}</span>,
        },
        { id: "balance", title: t.balance, isNumber: true, cell: ({ balance }) => format.number(balance) },
        { id: "price", title: t.price, isNumber: true, cell: ({ price, currency }) => (price != null && currency ? format.money(price, currency) : null) },
        { id: "at", title: when, isNumber: true, cell: ({ createdAt }) => format.time(createdAt) },
      ]}
    />
  );
}
