// The audit log of the deployment.
import { useText } from "../../app/locale.tsx";
import { EntryTable } from "../../features/admin/entries.tsx";
import { ListOf } from "../../features/admin/list.tsx";
import { Head } from "../../features/admin/parts.tsx";
import { useList } from "../../features/admin/read.ts";
import { EntriesDocument } from "../../gql/admin.ts";
import { adminAudit } from "../../locales/admin-audit.ts";

export default function AuditPage() {
  const t = useText(adminAudit);
  const list = useList(EntriesDocument, {}, ({ admin: found }) => found?.auditLog);
  return (
    <>
      <Head title={t.title} lead={t.lead} />
      <ListOf list={list} empty={t.none} icon="list">
        {(entries) => <EntryTable entries={entries} />}
      </ListOf>
    </>
  );
}
