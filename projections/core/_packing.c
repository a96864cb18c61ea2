/* How do a batch's rows become bytes and texts, quickly?
 *
 * What `copying`, `arrays` and `showing` say in Python, said in C: the body of a binary COPY, one
 * column as a binary array, and what Redis holds of a ledger's row. Those modules say why; they do
 * without this one where it was not built, and tests hold both to the same bytes.
 *
 * Whatever is walked was made a tuple first, so that no Python code that runs in between (an
 * iterator, `other`) can change it. Numbers are written byte by byte: any machine's order will do.
 * A false, or NULL, is given with an error set.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef enum { UUID, BIGINT, INT, SMALLINT, DOUBLE, BOOLEAN, TEXT, BYTEA, SCALARS, OTHER } Kind;
enum { LIST = 0x80 }; /* beside a kind: an array of it */

static const struct { const char *name; uint32_t oid; } KNOWN[SCALARS] = {
    [UUID] = {"uuid", 2950}, [BIGINT] = {"bigint", 20},     [INT] = {"int", 23},
    [TEXT] = {"text", 25},   [SMALLINT] = {"smallint", 21}, [BOOLEAN] = {"boolean", 16},
    [BYTEA] = {"bytea", 17}, [DOUBLE] = {"double precision", 701},
};
static const char DIGITS[] = "0123456789abcdef";

/* ---- bytes that grow ---- */

typedef struct {
    PyObject *bytes; /* its size is the room there is; NULL once growing failed */
    Py_ssize_t used;
} Buffer;

static bool begin(Buffer *to) {
    to->used = 0;
    to->bytes = PyBytes_FromStringAndSize(NULL, 4096);
    return to->bytes != NULL;
}

/* Room for `size` bytes, taken, or NULL. */
static char *take(Buffer *to, Py_ssize_t size) {
    if (size > PyBytes_GET_SIZE(to->bytes) - to->used) {
        if (size > PY_SSIZE_T_MAX / 2 - to->used)
            return (char *)PyErr_NoMemory();
        /* twice what is needed: each byte moves once or twice, however many there will be */
        if (_PyBytes_Resize(&to->bytes, 2 * (to->used + size)) < 0)
            return NULL;
    }
    char *taken = PyBytes_AS_STRING(to->bytes) + to->used;
    to->used += size;
    return taken;
}

static bool put(Buffer *to, const void *data, Py_ssize_t size) {
    char *taken = take(to, size);
    return taken != NULL && memcpy(taken, data, (size_t)size);
}

static void write_number(char *at, uint64_t number, int size) {
    for (int i = size; i-- > 0; number >>= 8)
        at[i] = (char)(number & 0xff);
}

static bool put_number(Buffer *to, uint64_t number, int size) {
    char *taken = take(to, size);
    if (taken != NULL)
        write_number(taken, number, size);
    return taken != NULL;
}

/* The bytes written, or NULL. */
static PyObject *end(Buffer *to, bool whole) {
    if (whole)
        _PyBytes_Resize(&to->bytes, to->used); /* leaves NULL where it fails */
    else
        Py_CLEAR(to->bytes);
    return to->bytes;
}

/* ---- values, each with its length before it ---- */

/* PyErr_Format gives NULL, which is false. */
static bool misfit(const char *type, PyObject *value) {
    return PyErr_Format(PyExc_TypeError, "%s cannot be a %.100s", type, Py_TYPE(value)->tp_name);
}

static bool beyond(const char *type) {
    return PyErr_Format(PyExc_OverflowError, "out of the range of %s", type);
}

static const char *uuid_of(PyObject *value) {
    if (!PyBytes_Check(value))
        misfit("uuid", value);
    else if (PyBytes_GET_SIZE(value) != 16)
        PyErr_Format(PyExc_ValueError, "a uuid of %zd bytes", PyBytes_GET_SIZE(value));
    else
        return PyBytes_AS_STRING(value);
    return NULL;
}

/* UTF-8, which a text keeps for the next time: `copier` and `viewer` see the same ones. */
static const char *utf8_of(PyObject *value, Py_ssize_t *size) {
    if (PyUnicode_Check(value))
        return PyUnicode_AsUTF8AndSize(value, size);
    misfit("text", value);
    return NULL;
}

static bool put_sized(Buffer *to, const char *data, Py_ssize_t size) {
    if (size > INT32_MAX)
        return beyond("lengths");
    return put_number(to, (uint64_t)size, 4) && put(to, data, size);
}

static bool put_integer(Buffer *to, Kind kind, PyObject *value) {
    if (!PyLong_Check(value))
        return misfit(KNOWN[kind].name, value);
    int size = kind == BIGINT ? 8 : kind == INT ? 4 : 2, over;
    long long most = kind == BIGINT ? INT64_MAX : kind == INT ? INT32_MAX : INT16_MAX;
    long long number = PyLong_AsLongLongAndOverflow(value, &over);
    if (over || number > most || number < -most - 1)
        return beyond(KNOWN[kind].name);
    if (number == -1 && PyErr_Occurred())
        return false;
    return put_number(to, (uint64_t)size, 4) && put_number(to, (uint64_t)number, size);
}

static bool put_double(Buffer *to, PyObject *value) {
    /* an int may stand for it, but nothing else that has a __float__: no Python code runs here */
    double number = PyFloat_Check(value) ? PyFloat_AS_DOUBLE(value) : PyLong_AsDouble(value);
    char packed[8];
    if ((number == -1.0 && PyErr_Occurred()) || PyFloat_Pack8(number, packed, 0) < 0)
        return false;
    return put_sized(to, packed, 8);
}

static bool put_scalar(Buffer *to, Kind kind, PyObject *value) {
    Py_ssize_t size = 16;
    const char *data;
    switch (kind) {
    case UUID: case TEXT:
        data = kind == UUID ? uuid_of(value) : utf8_of(value, &size);
        return data != NULL && put_sized(to, data, size);
    case BYTEA:
        if (!PyBytes_Check(value))
            return misfit("bytea", value);
        return put_sized(to, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value));
    case BOOLEAN:
        if (!PyBool_Check(value))
            return misfit("boolean", value);
        return put_sized(to, value == Py_True ? "\1" : "\0", 1);
    case DOUBLE:
        return put_double(to, value);
    default:
        return put_integer(to, kind, value);
    }
}

/* Postgres' binary array: dimensions, whether nulls are in it, element type, count, first index. */
static bool put_array(Buffer *to, Kind kind, PyObject *values, bool nulls) {
    PyObject *held = PySequence_Tuple(values);
    if (held == NULL)
        return false;
    Py_ssize_t count = PyTuple_GET_SIZE(held), flag_at = to->used + 4;
    bool whole = (count <= INT32_MAX || beyond("lengths")) && put_number(to, count > 0, 4)
                 && put_number(to, 0, 4) && put_number(to, KNOWN[kind].oid, 4);
    if (count > 0)
        whole = whole && put_number(to, (uint64_t)count, 4) && put_number(to, 1, 4);
    for (Py_ssize_t i = 0; i < count && whole; i++) {
        bool null = nulls && PyTuple_GET_ITEM(held, i) == Py_None;
        if (null)
            write_number(PyBytes_AS_STRING(to->bytes) + flag_at, 1, 4);
        whole = null ? put_number(to, UINT32_MAX, 4)
                     : put_scalar(to, kind, PyTuple_GET_ITEM(held, i));
    }
    Py_DECREF(held);
    return whole;
}

static bool put_value(Buffer *to, unsigned char kind, PyObject *value) {
    if (value == Py_None)
        return put_number(to, UINT32_MAX, 4);
    if (!(kind & LIST))
        return put_scalar(to, (Kind)kind, value);
    Py_ssize_t at = to->used;
    if (!put_number(to, 0, 4) || !put_array(to, (Kind)(kind & ~LIST), value, false))
        return false;
    Py_ssize_t size = to->used - at - 4;
    write_number(PyBytes_AS_STRING(to->bytes) + at, (uint64_t)size, 4);
    return size <= INT32_MAX || beyond("lengths");
}

/* ---- what is made once for a table's columns, and called with rows ---- */

/* Such a callable is a builtin function bound to a tuple, which this reads; it owns nothing. */
typedef struct {
    PyObject *types, *other; /* a tuple of str; what says the types that are not known here */
    const unsigned char *kinds;
    Py_ssize_t count, by;
} Plan;

static Plan plan_of(PyObject *bound) {
    PyObject *types = PyTuple_GET_ITEM(bound, 0), *kinds = PyTuple_GET_ITEM(bound, 2);
    return (Plan){types, PyTuple_GET_ITEM(bound, 1), (unsigned char *)PyBytes_AS_STRING(kinds),
                  PyTuple_GET_SIZE(types), PyLong_AsSsize_t(PyTuple_GET_ITEM(bound, 3))};
}

/* The kind of a type's name, OTHER where it has none, -1 where it is no name. */
static int kind_of(PyObject *type) {
    Py_ssize_t size;
    const char *name = utf8_of(type, &size);
    if (name == NULL)
        return -1;
    int list = size > 2 && memcmp(name + size - 2, "[]", 2) == 0 ? LIST : 0;
    size -= list ? 2 : 0;
    for (int kind = 0; kind < SCALARS; kind++)
        if ((size_t)size == strlen(KNOWN[kind].name) && !memcmp(name, KNOWN[kind].name, size))
            return kind | list;
    return OTHER;
}

static bool packs(int kind, PyObject *type, bool lists) {
    int of = lists && kind & LIST ? kind & ~LIST : SCALARS;
    return kind < SCALARS || of == UUID || of == BIGINT || of == INT || of == TEXT
           || PyErr_Format(PyExc_ValueError, "nothing packs the type %R", type);
}

/* The function `def` for these types; without an `other` it must know them all. */
static PyObject *bound(PyMethodDef *def, PyObject *given, Py_ssize_t by, PyObject *other) {
    PyObject *types = PySequence_Tuple(given);
    if (types == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(types);
    PyObject *kinds = count > 0 && count <= INT16_MAX
                          ? PyBytes_FromStringAndSize(NULL, count)
                          : PyErr_Format(PyExc_ValueError, "rows of %zd columns", count);
    for (Py_ssize_t i = 0; i < count && kinds != NULL; i++) {
        PyObject *type = PyTuple_GET_ITEM(types, i);
        int kind = kind_of(type);
        if (kind >= 0 && (other != Py_None || packs(kind, type, true)))
            PyBytes_AS_STRING(kinds)[i] = (char)kind;
        else
            Py_CLEAR(kinds);
    }
    PyObject *self = kinds == NULL ? NULL : Py_BuildValue("(OOOn)", types, other, kinds, by);
    PyObject *made = self == NULL ? NULL : PyCFunction_New(def, self);
    Py_DECREF(types);
    Py_XDECREF(kinds);
    Py_XDECREF(self);
    return made;
}

/* The next row as a tuple of the right length; NULL at the end, or with an error set. */
static PyObject *next_row(const Plan *plan, PyObject *each) {
    PyObject *given = PyIter_Next(each);
    PyObject *row = given == NULL ? NULL : PySequence_Tuple(given);
    Py_XDECREF(given);
    if (row != NULL && PyTuple_GET_SIZE(row) != plan->count) {
        PyErr_Format(PyExc_ValueError, "a row of %zd values", PyTuple_GET_SIZE(row));
        Py_CLEAR(row);
    }
    return row;
}

static PyObject *copy(PyObject *self, PyObject *rows) {
    const Plan plan = plan_of(self);
    Buffer to;
    PyObject *row, *each = PyObject_GetIter(rows);
    if (each == NULL)
        return NULL;
    /* the signature, no flags, nothing more in the header */
    bool whole = begin(&to) && put(&to, "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19);
    while (whole && (row = next_row(&plan, each)) != NULL) {
        whole = put_number(&to, (uint64_t)plan.count, 2);
        for (Py_ssize_t i = 0; i < plan.count && whole; i++)
            whole = put_value(&to, plan.kinds[i], PyTuple_GET_ITEM(row, i));
        Py_DECREF(row);
    }
    Py_DECREF(each);
    return end(&to, whole && !PyErr_Occurred() && put(&to, "\xff\xff", 2));
}

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

/* A text that Python made, which is let go. */
static bool say_made(Buffer *to, PyObject *text) {
    Py_ssize_t size;
    const char *data = text == NULL ? NULL : utf8_of(text, &size);
    bool whole = data != NULL && put(to, data, size);
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

/* What was written, as a text, or NULL; the buffer begins anew. */
static PyObject *said(Buffer *to, bool whole) {
    Py_ssize_t size = to->used;
    to->used = 0;
    return whole ? PyUnicode_DecodeUTF8(PyBytes_AS_STRING(to->bytes), size, NULL) : NULL;
}

static PyObject *key_of(Buffer *to, const Plan *plan, PyObject *row) {
    PyObject *value = PyTuple_GET_ITEM(row, plan->by);
    if (plan->kinds[plan->by] != UUID)
        return PyObject_Str(value);
    return said(to, value == Py_None ? put(to, "null", 4) : say_uuid(to, value));
}

static PyObject *field_of(Buffer *to, const Plan *plan, PyObject *row) {
    bool whole = plan->by == 0 || (say_uuid(to, PyTuple_GET_ITEM(row, 0)) && put(to, "|", 1));
    return said(to, whole && say_integer(to, PyTuple_GET_ITEM(row, 1)));
}

static PyObject *payload_of(Buffer *to, const Plan *plan, PyObject *row) {
    bool whole = put(to, "[", 1);
    for (Py_ssize_t i = 0; whole && i < plan->count; i++)
        whole = (i == 0 || put(to, ", ", 2)) && say_value(to, plan, i, PyTuple_GET_ITEM(row, i));
    return said(to, whole && put(to, "]", 1));
}

static bool add_view(PyObject *views, Buffer *to, const Plan *plan, PyObject *row) {
    PyObject *key = key_of(to, plan, row);
    PyObject *field = key == NULL ? NULL : field_of(to, plan, row);
    PyObject *payload = field == NULL ? NULL : payload_of(to, plan, row);
    /* rows of a ledger never change: their version is 1 */
    PyObject *view = payload == NULL ? NULL : Py_BuildValue("(OOiO)", key, field, 1, payload);
    bool whole = view != NULL && PyList_Append(views, view) == 0;
    Py_XDECREF(key);
    Py_XDECREF(field);
    Py_XDECREF(payload);
    Py_XDECREF(view);
    return whole;
}

static PyObject *view(PyObject *self, PyObject *rows) {
    const Plan plan = plan_of(self);
    Buffer to;
    PyObject *row, *each = PyObject_GetIter(rows);
    if (each == NULL)
        return NULL;
    PyObject *views = begin(&to) ? PyList_New(0) : NULL;
    bool whole = views != NULL;
    while (whole && (row = next_row(&plan, each)) != NULL) {
        whole = add_view(views, &to, &plan, row);
        Py_DECREF(row);
    }
    Py_DECREF(each);
    Py_XDECREF(to.bytes);
    if (PyErr_Occurred())
        Py_CLEAR(views);
    return views;
}

static PyMethodDef COPY = {"copy", copy, METH_O, NULL}, VIEW = {"view", view, METH_O, NULL};

static PyObject *copier(PyObject *Py_UNUSED(module), PyObject *types) {
    return bound(&COPY, types, 0, Py_None);
}

static PyObject *viewer(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *types, *other;
    Py_ssize_t by;
    if (!PyArg_ParseTuple(args, "OnO:viewer", &types, &by, &other))
        return NULL;
    PyObject *made = bound(&VIEW, types, by, other);
    if (made == NULL)
        return NULL;
    const Plan plan = plan_of(PyCFunction_GET_SELF(made));
    if (plan.count < 2 || by < 0 || by >= plan.count || plan.kinds[0] != UUID) {
        PyErr_SetString(PyExc_ValueError, "a view is of event id, number and more, by one of them");
        Py_CLEAR(made);
    }
    return made;
}

static PyObject *array(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *type, *values;
    Buffer to;
    if (!PyArg_ParseTuple(args, "OO:array", &type, &values))
        return NULL;
    int kind = kind_of(type);
    if (kind < 0 || !packs(kind, type, false) || !begin(&to))
        return NULL;
    return end(&to, put_array(&to, (Kind)kind, values, true));
}

static PyMethodDef FUNCTIONS[] = {
    {"copier", copier, METH_O, "A function from rows of these types to the body of a COPY."},
    {"viewer", viewer, METH_VARARGS, "A function from a ledger's rows to those of its view."},
    {"array", array, METH_VARARGS, "One column's values as a binary array."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, .m_name = "_packing", .m_methods = FUNCTIONS,
    .m_slots = (PyModuleDef_Slot[]){{0, NULL}}, /* it keeps nothing: made anew wherever asked for */
};

PyMODINIT_FUNC PyInit__packing(void) { return PyModuleDef_Init(&MODULE); }
