#!/bin/sh
# Hands a renewed certificate to camgate, as one file, readable by camgate alone. camgate takes it within seconds and drops
# nobody, so nothing is restarted.
#
# certbot: copy to /etc/letsencrypt/renewal-hooks/deploy/camgate, executable. lego: --run-hook and --renew-hook.
# In camgate.toml: tls_certificate = "/etc/camgate/tls.pem", and no tls_key.
set -eu

file=${CAMGATE_TLS_FILE:-/etc/camgate/tls.pem}
owner=${CAMGATE_USER:-camgate}

# certbot names a folder, lego two files.
certificate=${LEGO_CERT_PATH:-${RENEWED_LINEAGE:?is set by certbot}/fullchain.pem}
key=${LEGO_CERT_KEY_PATH:-${RENEWED_LINEAGE:-}/privkey.pem}

umask 077
new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT
cat "$certificate" "$key" >"$new"
chown "$owner" "$new"
# In one step, so that no certificate is ever beside another one's key.
mv "$new" "$file"
