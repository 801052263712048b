#!/bin/sh
# Makes the test certificates again (OpenSSL 1.1 or later). Valid 2020 to 2120, so that a wrong clock does not fail tests.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = test_ca
[test_ca]
database = $work/index.txt
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = none
prompt = no
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
CNF
: > "$work/index.txt"
echo 1000 > "$work/serial"
validity="-startdate 20200101000000Z -enddate 21200101000000Z"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key.pem"; }
request() { # name, subject, alternative names
  openssl req -new -config "$work/ca.cnf" -key "$1.key.pem" -subj "/CN=$2" ${3:+-addext "subjectAltName=$3"} -out "$work/$1.csr"
}
sign() { # name, how
  name=$1
  shift
  openssl ca -batch -notext -config "$work/ca.cnf" $validity -in "$work/$name.csr" -out "$name.cert.pem" "$@" 2> "$work/log" || { cat "$work/log"; exit 1; }
}

key authority
request authority "faultcore test authority"
sign authority -selfsign -keyfile authority.key.pem -extensions authority

leaf() { # name, subject, alternative names
  key "$1"
  request "$1" "$2" "$3"
  sign "$1" -cert authority.cert.pem -keyfile authority.key.pem -extensions leaf
}
leaf localhost localhost "DNS:localhost,IP:127.0.0.1,IP:::1"
leaf first first.test "DNS:first.test"
leaf second second.test "DNS:second.test"
leaf client client.test "DNS:client.test"

key self-signed
request self-signed localhost "DNS:localhost,IP:127.0.0.1"
sign self-signed -selfsign -keyfile self-signed.key.pem -extensions leaf
# Whoever needs another certificate makes them all again: nobody needs the key of the authority.
rm authority.key.pem
