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
  const [cameras, setCameras] = useState<readonly string[]>([]);
  const [wanted, setWanted] = useState<string | null>(null); // null: as the browser decides

  useEffect(() => {
    let stream: MediaStream | null = null;
    let isOver = false;
    const open = async () => {
      try {
        const camera = { width: { ideal: 1920 }, ...(wanted && { deviceId: { exact: wanted } }) };
        // Not there at all where the page is not served by https.
        stream = await navigator.mediaDevices.getUserMedia({ video: camera, audio: false });
        if (isOver) return stop();
        if (video.current) video.current.srcObject = stream;
        setState("open");
      } catch {
        if (!isOver) setState("none");
        return;
      }
      const found = await camerasOf(stream).catch(() => null); // known only after the permission
      if (found && !isOver) setCameras(found);
    };
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    void open();
    return () => {
      isOver = true;
      stop();
    };
  }, [wanted]);

  const next = () => {
    const [first = "", second = "", ...others] = cameras;
    setState("opening");
    setCameras([second, ...others, first]); // also where this one cannot be opened
    setWanted(second);
  };

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
          style={{
            maxWidth: "100%", maxHeight: "60dvh", alignSelf: "center", borderRadius: "var(--radius-m)", background: "var(--sunken)",
            ...(state === "opening" && { width: "100%", aspectRatio: "4 / 3" }),
          }}
        />
      )}
      {cameras.length > 1 && (
        <Button full icon="repeat" onPress={next}>
          {t.cameraSwitch}
        </Button>
      )}
      <Button look="primary" size="large" full icon="camera" isDisabled={state !== "open"} onPress={take}>
        {t.cameraDo}
      </Button>
    </Dialog>
  );
}

/** The ids of all cameras, that of the stream first, and then those that follow it. */
async function camerasOf(stream: MediaStream): Promise<string[]> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  const ids = devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId }) => deviceId);
  const place = Math.max(0, ids.indexOf(stream.getVideoTracks()[0]?.getSettings().deviceId ?? ""));
  return [...ids.slice(place), ...ids.slice(0, place)];
}
