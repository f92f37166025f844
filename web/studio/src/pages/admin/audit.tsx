// The audit log of the deployment.
import { useText } from "../../app/locale.tsx";
import { ListOf } from "../../features/admin/list.tsx";
import { EntryTable, Head } from "../../features/admin/parts.tsx";
import { useList } from "../../features/admin/read.ts";
import { EntriesDocument } from "../../gql/admin.ts";
import { admin } from "../../locales/admin.ts";

export default function AuditPage() {
  const { audit: t } = useText(admin);
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
