"""A mitmproxy script that sets options while requests run, as the client asks."""

from mitmproxy import ctx, exceptions, http


class Options:
    """Answers requests for `/set/HOW/OPTION/VALUE` by what came of it."""

    def requestheaders(self, flow):
        path = flow.request.path.removeprefix("/2.0")
        if not path.startswith("/set/"):
            return
        _, _, how, name, value = path.split("/", 4)
        before = getattr(ctx.options, name)
        said = "taken"
        try:
            if how == "command":
                ctx.master.commands.call_strings("set", [f"{name}={value}"])
            else:
                ctx.options.set(f"{name}={value}")
        except (exceptions.OptionsError, exceptions.CommandError) as error:
            said = str(error)
        same = getattr(ctx.options, name) == before
        text = f"{'kept' if same else 'changed'}: {said}"
        flow.response = http.Response.make(200, text)


addons = [Options()]
