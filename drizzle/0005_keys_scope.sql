-- Managing keys took WRITE, and for those of other owners ADMIN: keys that had both keep what they could do.
UPDATE "api_keys" SET "scopes" = array_cat(array_remove("scopes", 'ADMIN'), ARRAY['KEYS', 'ADMIN'])
WHERE 'WRITE' = ANY ("scopes") AND 'ADMIN' = ANY ("scopes") AND NOT 'KEYS' = ANY ("scopes");
