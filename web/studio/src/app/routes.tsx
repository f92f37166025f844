// Every view and its address; each is loaded when it is first shown. web/studio.py lists the same addresses.
import { Route, Switch } from "wouter";
import { HomePage } from "../pages/home.tsx";
import { lazily } from "./lazily.ts";

const CreatePage = lazily(() => import("../pages/create.tsx"));
const OwnStylePage = lazily(() => import("../pages/own-style.tsx"));
const GalleryPage = lazily(() => import("../pages/gallery.tsx"));
const PicturePage = lazily(() => import("../pages/picture.tsx"));
const BatchPage = lazily(() => import("../pages/batch.tsx"));
const AccountPage = lazily(() => import("../pages/account.tsx"));
const mailedLink = () => import("../pages/mailed-link.tsx");
const VerifyEmailPage = lazily(() => mailedLink().then((all) => ({ default: all.VerifyEmailPage })));
const ChangeEmailPage = lazily(() => mailedLink().then((all) => ({ default: all.ChangeEmailPage })));
const ResetPasswordPage = lazily(() => mailedLink().then((all) => ({ default: all.ResetPasswordPage })));
const SignInLinkPage = lazily(() => mailedLink().then((all) => ({ default: all.SignInLinkPage })));
const SignInCallbackPage = lazily(() => import("../pages/sign-in-callback.tsx"));
const AdminDesk = lazily(() => import("../pages/admin/desk.tsx"));
const CreditsPage = lazily(() => import("../pages/credits.tsx"));
const NotFoundPage = lazily(() => import("../pages/not-found.tsx"));

export function Views() {
  return (
    <Switch>
      <Route path="/">
        <HomePage />
      </Route>
      <Route path="/create/own/new" component={OwnStylePage} />
      <Route path="/create/own/:style/edit" component={OwnStylePage} />
      <Route path="/create/:collection?/:style?" component={CreatePage} />
      <Route path="/gallery" component={GalleryPage} />
      <Route path="/pictures/:id" component={PicturePage} />
      <Route path="/batches/:id" component={BatchPage} />
      <Route path="/account/:section?" component={AccountPage} />
      <Route path="/verify-email" component={VerifyEmailPage} />
      <Route path="/change-email" component={ChangeEmailPage} />
      <Route path="/reset-password" component={ResetPasswordPage} />
      <Route path="/sign-in/callback" component={SignInCallbackPage} />
      <Route path="/sign-in" component={SignInLinkPage} />
      <Route path="/admin/*?" component={AdminDesk} />
      <Route path="/credits/:view?" component={CreditsPage} />
      <Route component={NotFoundPage} />
    </Switch>
  );
}
