// The photo of an order: dropped, pasted, chosen or taken; shown, turned, cropped; with the progress of its upload.
import { Suspense, useEffect, useLayoutEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import type { FileDropItem } from "react-aria-components";
import { DropZone } from "react-aria-components/DropZone";
import { FileTrigger } from "react-aria-components/FileTrigger";
import { ProgressBar } from "react-aria-components/ProgressBar";
import { Text } from "react-aria-components/Text";
import { onFileDropped } from "../../app/file-drops.ts";
import { lazily } from "../../app/lazily.ts";
import { useLocale, useText } from "../../app/locale.tsx";
import { messageOf, problemTexts } from "../../app/problem.ts";
import { Button, IconButton, Spinner } from "../../components/button.tsx";
import { Picture } from "../../components/card.tsx";
import { Problem } from "../../components/field.tsx";
import { Icon } from "../../components/icons.tsx";
import { compose } from "../../locales/compose.ts";
import { edited, TooLargeError, UnreadableError, type Rules } from "./image.ts";
import { usePhoto, type Photo } from "./photo.tsx";
import style from "./photo-field.module.css";

const CropDialog = lazily(() => import("./crop-dialog.tsx"));
const CameraDialog = lazily(() => import("./camera-dialog.tsx"));

type Props = { readonly rules: Rules; readonly isRequired: boolean; readonly example: string | null };

export function PhotoField({ rules, isRequired, example }: Props) {
  const t = useText(compose);
  const problems = useText(problemTexts);
  const { locale } = useLocale();
  const { photo, isComing, problem, choose, edit, clear } = usePhoto();
  const [dialog, setDialog] = useState<"crop" | "camera" | null>(null);
  const [done, setDone] = useState({ text: "", times: 0 });
  const zone = useRef<HTMLDivElement>(null);
  useKeptFocus(zone, photo !== null);
  const accept = (file: File | undefined) => file && void choose(file, file.name, rules);
  const change = async (how: (file: Blob) => Promise<Blob>, text: string) => {
    if (await edit(how, rules)) setDone(({ times }) => ({ text, times: times + 1 }));
  };

  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const file = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith("image/"));
      if (!file) return;
      event.preventDefault();
      void choose(file, file.name, rules);
    };
    addEventListener("paste", paste);
    const stopDrops = onFileDropped((file) => void choose(file, file.name, rules));
    return () => {
      removeEventListener("paste", paste);
      stopDrops();
    };
  }, [choose, rules]);

  const files = (trigger: ReactNode) => (
    <FileTrigger acceptedFileTypes={[...rules.contentTypes, ".heic", ".avif"]} onSelect={(list) => accept(list?.[0])}>
      {trigger}
    </FileTrigger>
  );
  return (
    <div ref={zone}>
      <DropZone
        className={`${style["zone"]} ${photo ? style["filled"] : ""}`}
        aria-label={t.photo}
        getDropOperation={() => "copy"} // what cannot be read is said when it is dropped
        onDrop={({ items }) => {
          const file = items.find((item): item is FileDropItem => item.kind === "file");
          void file?.getFile().then(accept);
        }}
      >
        {photo ? (
          <Chosen photo={photo} onCrop={() => setDialog("crop")} onTurn={() => void change((file) => edited(file, 1), t.rotated)} onRemove={clear}>
            {files(<IconButton icon="image" label={t.replace} />)}
          </Chosen>
        ) : (
          <div className={style["inside"]}>
            {example ? (
              <div className={style["example"]}>
                <Picture src={example} alt={t.example} eager />
              </div>
            ) : (
              !isComing && <Icon name="upload" />
            )}
            {isComing && <Spinner />}
            <Text slot="label" className={style["hint"] ?? ""}>
              {isComing ? t.preparing : isRequired ? t.photoHint : t.photoOptional}
            </Text>
            <div className={style["acts"]} data-acts="">
              {files(
                <Button look={isRequired ? "primary" : "outline"} icon="image">
                  {t.choose}
                </Button>,
              )}
              <Button icon="camera" onPress={() => setDialog("camera")}>
                {t.camera}
              </Button>
            </div>
          </div>
        )}
      </DropZone>
      {problem !== null && <Problem>{said(problem)}</Problem>}
      <p role="status" className="visually-hidden">
        <span key={done.times}>{done.text}</span>
      </p>
      <Suspense>
        {dialog === "crop" && photo && (
          <CropDialog photo={photo} onClose={() => setDialog(null)} onDone={(crop) => void change(crop, t.cropped)} />
        )}
        {dialog === "camera" && (
          <CameraDialog onClose={() => setDialog(null)} onDone={(file) => void choose(file, "camera.jpg", rules)} />
        )}
      </Suspense>
    </div>
  );

  function said(what: unknown): string {
    if (what instanceof TooLargeError) return t.tooLarge(megabytes(what.maxBytes, locale));
    return what instanceof UnreadableError ? t.unreadable : messageOf(what, problems);
  }
}

/** Move the focus on where the buttons that had it are replaced, because there is a photo now, or none any more. */
function useKeptFocus(zone: RefObject<HTMLElement | null>, hasPhoto: boolean): void {
  const had = useRef(false); // whether the focus was on one of them
  useEffect(() => {
    const note = ({ target }: FocusEvent) => {
      const isInDialog = target instanceof Element && target.closest("[role=dialog]") !== null; // which leads back
      if (!isInDialog) had.current = target instanceof Node && (zone.current?.contains(target) ?? false);
    };
    document.addEventListener("focusin", note);
    return () => document.removeEventListener("focusin", note);
  }, [zone]);
  useLayoutEffect(() => {
    if (!had.current || zone.current?.contains(document.activeElement)) return;
    zone.current?.querySelector<HTMLElement>(hasPhoto ? "[role=toolbar] button" : "[data-acts] button")?.focus();
  }, [zone, hasPhoto]);
}

function megabytes(bytes: number, locale: string): string {
  return new Intl.NumberFormat(locale, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 }).format(bytes / 1_000_000);
}

type ChosenProps = {
  readonly photo: Photo;
  readonly onCrop: () => void;
  readonly onTurn: () => void;
  readonly onRemove: () => void;
  readonly children: ReactNode;
};

function Chosen({ photo, onCrop, onTurn, onRemove, children }: ChosenProps) {
  const t = useText(compose);
  const { isSending, progress } = usePhoto();
  return (
    <>
      {photo.url ? (
        <img className={style["photo"]} src={photo.url} alt={t.photo} />
      ) : (
        <div className={style["inside"]}>
          <Icon name="image" />
          <p className={style["hint"]}>{`${photo.name}. ${t.noPreview}`}</p>
        </div>
      )}
      {isSending && (
        <ProgressBar className={style["upload"] ?? ""} value={progress * 100} aria-label={t.sending}>
          {({ percentage, valueText }) => (
            <>
              <span>{t.sending}</span>
              <span className={style["track"]}>
                <span className={style["fill"]} style={{ display: "block", width: `${percentage}%` }} />
              </span>
              <span>{valueText}</span>
            </>
          )}
        </ProgressBar>
      )}
      <div className={style["tools"]} role="toolbar" aria-label={t.photo}>
        {photo.url && <IconButton icon="rotate" label={t.rotate} onPress={onTurn} />}
        {photo.url && <IconButton icon="crop" label={t.crop} onPress={onCrop} />}
        {children}
        <IconButton icon="trash" label={t.remove} onPress={onRemove} />
      </div>
    </>
  );
}
