// A photo from the camera of this device.
import { useEffect, useRef, useState } from "react";
import { useText } from "../../app/locale.tsx";
import { Button } from "../../components/button.tsx";
import { Dialog } from "../../components/dialog.tsx";
import { Problem } from "../../components/field.tsx";
import { compose } from "../../locales/compose.ts";

type Props = { readonly onClose: () => void; readonly onDone: (file: Blob) => void };

export default function CameraDialog({ onClose, onDone }: Props) {
  const t = useText(compose);
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<"opening" | "open" | "none">("opening");

  useEffect(() => {
    let stream: MediaStream | null = null;
    let isOver = false;
    const open = async () => {
      try {
        // Not there at all where the page is not served by https.
        stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } }, audio: false });
        if (isOver) return stop();
        if (video.current) video.current.srcObject = stream;
        setState("open");
      } catch {
        setState("none");
      }
    };
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    void open();
    return () => {
      isOver = true;
      stop();
    };
  }, []);

  const take = () => {
    const source = video.current;
    if (!source) return;
    const canvas = document.createElement("canvas");
    canvas.width = source.videoWidth;
    canvas.height = source.videoHeight;
    canvas.getContext("2d")?.drawImage(source, 0, 0);
    canvas.toBlob(
      (blob) => {
        if (blob) onDone(blob);
        onClose();
      },
      "image/jpeg",
      0.92,
    );
  };
  return (
    <Dialog isOpen title={t.cameraTitle} width="40rem" onClose={onClose}>
      {state === "none" ? (
        <Problem>{t.cameraNone}</Problem>
      ) : (
        <video
          ref={video} autoPlay playsInline muted
          style={{ width: "100%", aspectRatio: "4 / 3", objectFit: "cover", borderRadius: "var(--radius-m)", background: "var(--sunken)" }}
        />
      )}
      <Button look="primary" size="large" full icon="camera" isDisabled={state !== "open"} onPress={take}>
        {t.cameraDo}
      </Button>
    </Dialog>
  );
}
