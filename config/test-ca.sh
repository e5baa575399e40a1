#!/bin/sh
# Makes what it takes to try TLS, in a folder: an authority, certificates it
# has signed for this machine, and one for a client. Needs openssl, no network.
#
#   sh config/test-ca.sh config/certs
#
# What is there already stays, so that clients that trust ca.crt go on to.
set -eu
folder=${1:-certs}
mkdir -p "$folder"
cd "$folder"
umask 077

key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

if [ ! -f ca.crt ]; then
  openssl req -x509 $key -days 3650 -subj "/CN=Weir test authority" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout ca.key -out ca.crt 2>/dev/null
fi

issue() { # name, options for the key, subject, alternative names, usage
  if [ -f "$1.crt" ]; then return; fi
  openssl req -x509 $2 -days 365 -subj "$3" -CA ca.crt -CAkey ca.key \
    -addext "basicConstraints=critical,CA:FALSE" -addext "subjectAltName=$4" -addext "extendedKeyUsage=$5" \
    -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

names="DNS:localhost,DNS:*.localhost,DNS:$(hostname),IP:127.0.0.1,IP:::1"
issue site "$key" "/CN=localhost" "$names" serverAuth
issue site-rsa "-newkey rsa:2048 -nodes" "/CN=localhost" "$names" serverAuth
issue client "$key" "/O=Weir test/CN=client" "DNS:client.localhost,URI:spiffe://localhost/client" clientAuth

echo "In $(pwd): ca.crt for clients to trust, site.crt and site-rsa.crt for listeners, client.crt for a client."
