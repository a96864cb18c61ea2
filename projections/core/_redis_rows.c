/* What does Redis hold of rows, as the texts that a script is handed?
 *
 * What `showing` says in Python, said in C; it does without this one where it was not built, and
 * tests hold both to the same bytes. A row is three MessagePack strings: the hash, the field, and
 * the row's version, a bar and its JSON.
 */
#include "_rows.h"

enum { CHUNK = 500 }; /* rows that one script is handed: Redis does nothing else meanwhile */
static const char DIGITS[] = "0123456789abcdef";

/* ---- what Redis holds of a row ---- */

static bool say_uuid(Buffer *to, PyObject *value) {
    const char *data = uuid_of(value);
    char *text = data == NULL ? NULL : take(to, 36);
    for (int i = 0; i < 16 && text != NULL; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *text++ = '-';
        *text++ = DIGITS[(unsigned char)data[i] >> 4];
        *text++ = DIGITS[data[i] & 15];
    }
    return text != NULL;
}

static bool put_text(Buffer *to, PyObject *text) {
    Py_ssize_t size;
    const char *data = utf8_of(text, &size);
    return data != NULL && put(to, data, size);
}

/* A text that Python made, which is let go. */
static bool say_made(Buffer *to, PyObject *text) {
    bool whole = text != NULL && put_text(to, text);
    Py_XDECREF(text);
    return whole;
}

static bool say_integer(Buffer *to, PyObject *value) {
    int over = 1;
    long long number = 0;
    if (PyLong_CheckExact(value))
        number = PyLong_AsLongLongAndOverflow(value, &over);
    if (over) /* then whatever an f-string says of it */
        return say_made(to, PyObject_Format(value, NULL));
    char text[20], *at = text + sizeof text;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--at = DIGITS[rest % 10];
    while ((rest /= 10) > 0);
    if (number < 0)
        *--at = '-';
    return put(to, at, text + sizeof text - at);
}

/* As json.encoder.encode_basestring does: quotes, backslashes and controls alone are escaped. */
static bool say_text(Buffer *to, PyObject *value) {
    static const char plain[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
    Py_ssize_t size, from = 0;
    const char *data = utf8_of(value, &size);
    bool whole = data != NULL && put(to, "\"", 1);
    for (Py_ssize_t i = 0; whole && i < size; i++) {
        unsigned char one = (unsigned char)data[i];
        if (one >= 0x20 && one != '"' && one != '\\')
            continue;
        const char *found = one ? strchr(plain, one) : NULL;
        char letter = found ? letters[found - plain] : 'u';
        char escaped[6] = {'\\', letter, '0', '0', DIGITS[one >> 4], DIGITS[one & 15]};
        whole = put(to, data + from, i - from) && put(to, escaped, found ? 2 : 6);
        from = i + 1;
    }
    return whole && put(to, data + from, size - from) && put(to, "\"", 1);
}

static bool say_list(Buffer *to, Kind kind, PyObject *values) {
    PyObject *held = PySequence_Tuple(values);
    bool whole = held != NULL && put(to, "[", 1);
    for (Py_ssize_t i = 0; whole && i < PyTuple_GET_SIZE(held); i++) {
        PyObject *value = PyTuple_GET_ITEM(held, i);
        whole = (i == 0 || put(to, ", ", 2))
                && (kind == TEXT ? say_text(to, value) : say_integer(to, value));
    }
    Py_XDECREF(held);
    return whole && put(to, "]", 1);
}

static bool say_value(Buffer *to, const Plan *plan, Py_ssize_t at, PyObject *value) {
    if (value == Py_None)
        return put(to, "null", 4);
    switch (plan->kinds[at]) {
    case UUID:
        return put(to, "\"", 1) && say_uuid(to, value) && put(to, "\"", 1);
    case BIGINT: case INT: case SMALLINT:
        return say_integer(to, value);
    case TEXT:
        return say_text(to, value);
    case BOOLEAN:
        if (!PyBool_Check(value))
            return misfit("boolean", value);
        return value == Py_True ? put(to, "true", 4) : put(to, "false", 5);
    case INT | LIST: case BIGINT | LIST: case TEXT | LIST:
        return say_list(to, (Kind)(plan->kinds[at] & ~LIST), value);
    default:
        return say_made(to, PyObject_CallFunctionObjArgs(
                                plan->other, PyTuple_GET_ITEM(plan->types, at), value, NULL));
    }
}

/* ---- rows as a script's texts, so many at a time ---- */

typedef struct {
    Buffer to;
    Py_ssize_t rows;   /* those in `to` */
    PyObject *chunks;  /* a list of (rows, texts) */
} Chunks;

static bool open_chunks(Chunks *into) {
    into->rows = 0;
    into->chunks = begin(&into->to) ? PyList_New(0) : NULL;
    return into->chunks != NULL;
}

static bool end_chunk(Chunks *into) {
    if (into->rows == 0)
        return true;
    const char *data = PyBytes_AS_STRING(into->to.bytes);
    PyObject *made = Py_BuildValue("(ny#)", into->rows, data, into->to.used);
    bool whole = made != NULL && PyList_Append(into->chunks, made) == 0;
    Py_XDECREF(made);
    into->to.used = into->rows = 0;
    return whole;
}

/* The chunks, or NULL. */
static PyObject *close_chunks(Chunks *into, bool whole) {
    if (!whole || !end_chunk(into))
        Py_CLEAR(into->chunks);
    Py_XDECREF(into->to.bytes);
    return into->chunks;
}

static bool row_ends(Chunks *into) { return ++into->rows < CHUNK || end_chunk(into); }

/* A text whose length is known once it is written. */
static bool text_begins(Buffer *to, Py_ssize_t *at) {
    *at = to->used;
    return put(to, "\xdb\0\0\0\0", 5);
}

static bool text_ends(Buffer *to, Py_ssize_t at) {
    Py_ssize_t size = to->used - at - 5;
    write_number(PyBytes_AS_STRING(to->bytes) + at + 1, (uint64_t)size, 4);
    return size <= INT32_MAX || beyond("lengths");
}

/* ---- rows that are written for the first time, so their version is 1 ---- */

static bool say_key(Buffer *to, Buffer *keys, const Plan *plan, PyObject *row) {
    PyObject *value = PyTuple_GET_ITEM(row, plan->by);
    bool uuid = plan->kinds[plan->by] == UUID;
    if (uuid && value != Py_None)
        return say_uuid(to, value) && say_value(keys, plan, plan->by, value);
    PyObject *text = uuid ? PyUnicode_FromString("null") : PyObject_Str(value);
    bool whole = text != NULL && put_text(to, text) && say_text(keys, text);
    Py_XDECREF(text);
    return whole;
}

/* The key columns but the view's own: (event id, number) of a ledger, else a single id. */
static bool say_field(Buffer *to, const Plan *plan, bool numbered, PyObject *row) {
    bool whole = plan->by == 0 || say_uuid(to, PyTuple_GET_ITEM(row, 0));
    if (!numbered)
        return whole;
    return whole && put(to, "|", plan->by != 0) && say_integer(to, PyTuple_GET_ITEM(row, 1));
}

static bool say_row(Buffer *to, const Plan *plan, PyObject *row) {
    bool whole = put(to, "1|[", 3);
    for (Py_ssize_t i = 0; whole && i < plan->count; i++)
        whole = (i == 0 || put(to, ", ", 2)) && say_value(to, plan, i, PyTuple_GET_ITEM(row, i));
    return whole && put(to, "]", 1);
}

static bool
add_view(Chunks *into, Buffer *keys, const Plan *plan, bool numbered, PyObject *row) {
    Buffer *to = &into->to;
    Py_ssize_t at;
    return put(keys, ", ", keys->used > 1 ? 2 : 0) && text_begins(to, &at)
           && put_text(to, plan->prefix) && say_key(to, keys, plan, row) && text_ends(to, at)
           && text_begins(to, &at) && say_field(to, plan, numbered, row) && text_ends(to, at)
           && text_begins(to, &at) && say_row(to, plan, row) && text_ends(to, at)
           && row_ends(into);
}

static PyObject *view_rows(PyObject *self, PyObject *rows, bool numbered) {
    const Plan plan = plan_of(self);
    Chunks into;
    Buffer keys = {NULL, 0};
    PyObject *row, *each = PyObject_GetIter(rows);
    if (each == NULL)
        return NULL;
    bool whole = open_chunks(&into) && begin(&keys) && put(&keys, "[", 1);
    while (whole && (row = next_row(&plan, each)) != NULL) {
        whole = add_view(&into, &keys, &plan, numbered, row);
        Py_DECREF(row);
    }
    Py_DECREF(each);
    whole = whole && !PyErr_Occurred() && put(&keys, "]", 1);
    PyObject *chunks = close_chunks(&into, whole);
    PyObject *listed = keys.bytes == NULL ? NULL : end(&keys, whole);
    if (chunks != NULL && listed != NULL)
        return Py_BuildValue("(NN)", chunks, listed);
    Py_XDECREF(chunks);
    Py_XDECREF(listed);
    return NULL;
}

static PyObject *view(PyObject *self, PyObject *rows) { return view_rows(self, rows, true); }

static PyObject *view_by_id(PyObject *self, PyObject *rows) {
    return view_rows(self, rows, false);
}

static PyMethodDef VIEW = {"view", view, METH_O, NULL};
static PyMethodDef VIEW_BY_ID = {"view_by_id", view_by_id, METH_O, NULL};

static PyObject *viewer(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *types, *other, *prefix;
    Py_ssize_t by;
    int numbered = true;
    if (!PyArg_ParseTuple(args, "OnOU|p:viewer", &types, &by, &other, &prefix, &numbered))
        return NULL;
    PyObject *made = bound(numbered ? &VIEW : &VIEW_BY_ID, types, by, other, prefix);
    if (made == NULL)
        return NULL;
    const Plan plan = plan_of(PyCFunction_GET_SELF(made));
    if (plan.count < 2 || by < 0 || by >= plan.count || plan.kinds[0] != UUID) {
        PyErr_SetString(PyExc_ValueError, "the first column of a view is an id, and `by` is one of its columns");
        Py_CLEAR(made);
    }
    return made;
}

/* ---- rows that Postgres has told ---- */

/* (hash, field, version, payload) into `first` or `newer`, by its version. */
static bool add_told(Chunks *first, Chunks *newer, PyObject *prefix, PyObject *row) {
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 4)
        return PyErr_Format(PyExc_ValueError, "a row to show is hash, field, version, payload");
    PyObject *version = PyTuple_GET_ITEM(row, 2);
    if (!PyLong_Check(version))
        return misfit("version", version);
    Chunks *into = PyLong_AsLongLong(version) == 1 ? first : newer;
    Buffer *to = &into->to;
    Py_ssize_t at;
    return !PyErr_Occurred() && text_begins(to, &at) && put_text(to, prefix)
           && put_text(to, PyTuple_GET_ITEM(row, 0)) && text_ends(to, at)
           && text_begins(to, &at) && put_text(to, PyTuple_GET_ITEM(row, 1)) && text_ends(to, at)
           && text_begins(to, &at) && say_integer(to, version) && put(to, "|", 1)
           && put_text(to, PyTuple_GET_ITEM(row, 3)) && text_ends(to, at) && row_ends(into);
}

static PyObject *told(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *prefix, *rows, *row;
    if (!PyArg_ParseTuple(args, "UO:told", &prefix, &rows))
        return NULL;
    Chunks first = {{NULL, 0}, 0, NULL}, newer = {{NULL, 0}, 0, NULL};
    PyObject *each = PyObject_GetIter(rows);
    if (each == NULL)
        return NULL;
    bool whole = open_chunks(&first) && open_chunks(&newer);
    while (whole && (row = PyIter_Next(each)) != NULL) {
        whole = add_told(&first, &newer, prefix, row);
        Py_DECREF(row);
    }
    Py_DECREF(each);
    whole = whole && !PyErr_Occurred();
    PyObject *one = close_chunks(&first, whole), *other = close_chunks(&newer, whole);
    if (one != NULL && other != NULL)
        return Py_BuildValue("(NN)", one, other);
    Py_XDECREF(one);
    Py_XDECREF(other);
    return NULL;
}

static PyMethodDef FUNCTIONS[] = {
    {"viewer", viewer, METH_VARARGS, "A function from new rows to what Redis holds of them."},
    {"told", told, METH_VARARGS, "What Redis holds of rows that Postgres has told."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, .m_name = "_redis_rows", .m_methods = FUNCTIONS,
    .m_slots = (PyModuleDef_Slot[]){{0, NULL}}, /* it keeps nothing: made anew wherever asked for */
};

PyMODINIT_FUNC PyInit__redis_rows(void) { return PyModuleDef_Init(&MODULE); }
