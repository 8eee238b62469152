-- How times and numbers are read that customers' systems send: traits, and properties of events. What cannot be read is NULL.

-- ISO 8601 (calendar, week and ordinal dates; with a time or without, with an offset or, without one, in UTC; to nanoseconds), and Unix
-- times in seconds, milliseconds or microseconds, as numbers or in text.
CREATE FUNCTION read_time(value jsonb) RETURNS timestamptz
  LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
  given CONSTANT text := btrim(value #>> '{}');
  unix numeric;
  part text[];
  year integer;
  first_day date;
  day date;
  seconds numeric;
  away interval := '0';
BEGIN
  IF jsonb_typeof(value) NOT IN ('string', 'number') OR length(given) > 40 THEN
    RETURN NULL;
  END IF;
  IF jsonb_typeof(value) = 'number' OR given ~ '^\d{9,10}(\.\d+)?$|^\d{12,13}$|^\d{15,16}$' THEN
    unix := given::numeric;
    RETURN CASE
      WHEN unix >= 1e8 AND unix < 1e11 THEN to_timestamp(unix::float8)
      WHEN unix >= 1e11 AND unix < 1e14 THEN to_timestamp((unix / 1000)::float8)
      WHEN unix >= 1e14 AND unix < 1e17 THEN to_timestamp((unix / 1000000)::float8)
    END;
  END IF;
  part := regexp_match(given,
    '^(\d{4})(?:-(\d\d)-(\d\d)|(\d\d)(\d\d)|-?W(\d\d)-?([1-7])|-?(\d{3}))(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9}))?)?)? ?(?:[Zz]|UTC|([+-])(\d\d)(?::?(\d\d))?)?)?$');
  year := part[1]::integer;
  IF part IS NULL OR year = 0 THEN
    RETURN NULL;
  END IF;
  first_day := make_date(year, 1, 1);
  IF part[6] IS NOT NULL THEN
    -- Week 1 is the one with 4 January.
    day := date_trunc('week', make_date(year, 1, 4)::timestamp)::date + (part[6]::integer - 1) * 7 + part[7]::integer - 1;
    IF part[6]::integer < 1 OR to_char(day, 'IYYY')::integer <> year THEN
      RETURN NULL;
    END IF;
  ELSIF part[8] IS NOT NULL THEN
    day := first_day + part[8]::integer - 1;
    IF extract(year FROM day) <> year THEN
      RETURN NULL;
    END IF;
  ELSE
    day := first_day + make_interval(months => coalesce(part[2], part[4])::integer - 1, days => coalesce(part[3], part[5])::integer - 1);
    -- 31 February is no day.
    IF to_char(day, 'YYYYMMDD') <> lpad(part[1], 4, '0') || coalesce(part[2], part[4]) || coalesce(part[3], part[5]) THEN
      RETURN NULL;
    END IF;
  END IF;
  seconds := coalesce(part[9], '0')::integer * 3600 + coalesce(part[10], '0')::integer * 60 + coalesce(part[11], '0')::integer
    + coalesce('0.' || part[12], '0')::numeric;
  IF coalesce(part[10], '0')::integer > 59 OR coalesce(part[11], '0')::integer > 59 OR seconds > 86400 OR coalesce(part[14], '0')::integer > 23
    OR coalesce(part[15], '0')::integer > 59 THEN
    RETURN NULL;
  END IF;
  IF part[13] IS NOT NULL THEN
    away := make_interval(hours => part[14]::integer, mins => coalesce(part[15], '0')::integer) * CASE part[13] WHEN '-' THEN -1 ELSE 1 END;
  END IF;
  RETURN (day::timestamp + make_interval(secs => seconds::float8) - away) AT TIME ZONE 'UTC';
END
$$;

-- A number, or text that is one.
CREATE FUNCTION read_number(value jsonb) RETURNS numeric
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
  SELECT CASE
    WHEN jsonb_typeof(value) = 'number'
      OR (jsonb_typeof(value) = 'string' AND length(value #>> '{}') <= 60 AND value #>> '{}' ~ '^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*$')
    THEN (value #>> '{}')::numeric
  END
$$;
