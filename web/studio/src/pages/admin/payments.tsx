// Payments that need review: each is settled or dismissed once.
import { useState } from "react";
import { accepted } from "@darkroom/client/errors.ts";
import { useText } from "../../app/locale.tsx";
import { useSession } from "../../app/session.tsx";
import { Link } from "wouter";
import { Button } from "../../components/button.tsx";
import { TextField } from "../../components/field.tsx";
import { Select } from "../../components/select.tsx";
import { ActDialog, type Given } from "../../features/admin/act-dialog.tsx";
import style from "../../features/admin/admin.module.css";
import { useFormat } from "../../features/admin/format.ts";
import { ListOf } from "../../features/admin/list.tsx";
import { Head } from "../../features/admin/parts.tsx";
import { useList, useRead } from "../../features/admin/read.ts";
import { Table } from "../../features/admin/table.tsx";
import {
  DeskOffersDocument,
  DismissPaymentDocument,
  ReviewsDocument,
  SettlePaymentDocument,
  type ReviewPartsFragment,
} from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";
import { adminActs } from "../../locales/admin-acts.ts";

type Review = ReviewPartsFragment;
type Open = { readonly act: "settle" | "dismiss"; readonly review: Review };

export default function PaymentsPage() {
  const { payments: t } = useText(admin);
  const a = useText(adminActs);
  const format = useFormat();
  const [open, setOpen] = useState<Open | null>(null);
  const list = useList(ReviewsDocument, {}, ({ admin: found }) => found?.paymentReviews);
  const close = () => setOpen(null);
  return (
    <>
      <Head title={t.title} note={Boolean(list.total) && t.count(list.total ?? 0)} lead={t.lead} />
      <ListOf list={list} empty={t.none} emptyText={t.noneText} icon="check">
        {(reviews) => (
          <Table
            label={t.title} rows={reviews} keyOf={({ id }) => id}
            columns={[
              {
                id: "report", title: t.report, isHead: true,
                cell: ({ type, orderId, subscriptionId }) => (
                  <span className={style["who"]}>
                    <span>{type}</span>
                    <small className={style["id"]}>{orderId ?? subscriptionId}</small>
                  </span>
                ),
              },
              { id: "problem", title: t.problem, cell: ({ reason }) => reason },
              { id: "who", title: t.account, cell: (review) => <Customer review={review} /> },
              {
                id: "amount", title: t.amount, isNumber: true,
                cell: ({ netAmount, currency }) => (netAmount != null && currency ? format.money(netAmount, currency) : null),
              },
              { id: "received", title: t.received, isNumber: true, cell: ({ receivedAt }) => format.time(receivedAt) },
              {
                id: "acts", title: t.acts, isBare: true,
                cell: (review) => (
                  <span className={style["acts"]}>
                    <Button size="small" onPress={() => setOpen({ act: "settle", review })}>
                      {a.settle.act}
                    </Button>
                    <Button size="small" look="danger" onPress={() => setOpen({ act: "dismiss", review })}>
                      {a.dismiss.act}
                    </Button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </ListOf>
      {open?.act === "settle" && <SettleDialog review={open.review} onClose={close} />}
      {open?.act === "dismiss" && <DismissDialog review={open.review} onClose={close} />}
    </>
  );
}

function Customer({ review: { account, customerEmail } }: { readonly review: Review }) {
  return (
    <span className={style["who"]}>
      {account?.startsWith("usr_") ? (
        <Link href={`/admin/people/${account}`} className={style["id"]}>
          {account}
        </Link>
      ) : (
        account && <span className={style["id"]}>{account}</span>
      )}
      {customerEmail && <small>{customerEmail}</small>}
    </span>
  );
}

type Props = { readonly review: Review; readonly onClose: () => void };

const subjectOf = ({ type, orderId, subscriptionId }: Review) => [type, orderId ?? subscriptionId].filter(Boolean).join(" · ");

function SettleDialog({ review, onClose }: Props) {
  const { settle } = useText(adminActs);
  const { clients } = useSession();
  const { data } = useRead(DeskOffersDocument, {});
  const [account, setAccount] = useState("");
  const [product, setProduct] = useState("");
  const run = async ({ reason }: Given) => {
    const variables = { id: review.id, reason, userId: account.trim() || null, product: product || null };
    accepted((await clients.darkroom.run(SettlePaymentDocument, variables)).adminSettlePayment);
  };
  const products = [
    { id: "", label: settle.asReported },
    ...(data?.creditPackages ?? []).map(({ slug }) => ({ id: slug, label: slug })),
    ...(data?.plans ?? []).map(({ slug, title }) => ({ id: slug, label: title })),
  ];
  return (
    <ActDialog
      title={settle.title} subject={subjectOf(review)} text={<p>{settle.text}</p>} confirm={settle.do} done={settle.done} onAct={run} onClose={onClose}
    >
      <TextField label={settle.account} hint={settle.accountHint} value={account} onChange={setAccount} />
      <Select label={settle.product} value={product} onChange={setProduct} choices={products} />
    </ActDialog>
  );
}

function DismissDialog({ review, onClose }: Props) {
  const { dismiss } = useText(adminActs);
  const { clients } = useSession();
  const run = async ({ reason }: Given) => {
    accepted((await clients.darkroom.run(DismissPaymentDocument, { id: review.id, reason })).adminDismissPayment);
  };
  return (
    <ActDialog
      title={dismiss.title} subject={subjectOf(review)} text={<p>{dismiss.text}</p>} confirm={dismiss.do} done={dismiss.done} isDanger onAct={run}
      onClose={onClose}
    />
  );
}
