/* What do `_row_copy` and `_redis_rows` share? Bytes that grow, and rows of columns of known types.
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

/* ---- bytes that grow ---- */

typedef struct {
    PyObject *bytes; /* its size is the room there is; NULL once growing failed */
    Py_ssize_t used;
} Buffer;

static inline bool begin(Buffer *to) {
    to->used = 0;
    to->bytes = PyBytes_FromStringAndSize(NULL, 4096);
    return to->bytes != NULL;
}

/* Room for `size` bytes, taken, or NULL. */
static inline char *take(Buffer *to, Py_ssize_t size) {
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

static inline bool put(Buffer *to, const void *data, Py_ssize_t size) {
    char *taken = take(to, size);
    return taken != NULL && memcpy(taken, data, (size_t)size);
}

static inline void write_number(char *at, uint64_t number, int size) {
    for (int i = size; i-- > 0; number >>= 8)
        at[i] = (char)(number & 0xff);
}

static inline bool put_number(Buffer *to, uint64_t number, int size) {
    char *taken = take(to, size);
    if (taken != NULL)
        write_number(taken, number, size);
    return taken != NULL;
}

/* The bytes written, or NULL. */
static inline PyObject *end(Buffer *to, bool whole) {
    if (whole)
        _PyBytes_Resize(&to->bytes, to->used); /* leaves NULL where it fails */
    else
        Py_CLEAR(to->bytes);
    return to->bytes;
}

/* ---- values ---- */

/* PyErr_Format gives NULL, which is false. */
static inline bool misfit(const char *type, PyObject *value) {
    return PyErr_Format(PyExc_TypeError, "%s cannot be a %.100s", type, Py_TYPE(value)->tp_name);
}

static inline bool beyond(const char *type) {
    return PyErr_Format(PyExc_OverflowError, "out of the range of %s", type);
}

static inline const char *uuid_of(PyObject *value) {
    if (!PyBytes_Check(value))
        misfit("uuid", value);
    else if (PyBytes_GET_SIZE(value) != 16)
        PyErr_Format(PyExc_ValueError, "a uuid of %zd bytes", PyBytes_GET_SIZE(value));
    else
        return PyBytes_AS_STRING(value);
    return NULL;
}

/* UTF-8, which a text keeps for the next time: `copier` and `viewer` see the same ones. */
static inline const char *utf8_of(PyObject *value, Py_ssize_t *size) {
    if (PyUnicode_Check(value))
        return PyUnicode_AsUTF8AndSize(value, size);
    misfit("text", value);
    return NULL;
}

/* ---- what is made once for a table's columns, and called with rows ---- */

/* Such a callable is a builtin function bound to a tuple, which this reads; it owns nothing. */
typedef struct {
    PyObject *types, *other; /* a tuple of str; what says the types that are not known here */
    const unsigned char *kinds;
    Py_ssize_t count, by;
    PyObject *prefix; /* what is put before `by` */
} Plan;

static inline Plan plan_of(PyObject *bound) {
    PyObject *types = PyTuple_GET_ITEM(bound, 0), *kinds = PyTuple_GET_ITEM(bound, 2);
    return (Plan){types, PyTuple_GET_ITEM(bound, 1), (unsigned char *)PyBytes_AS_STRING(kinds),
                  PyTuple_GET_SIZE(types), PyLong_AsSsize_t(PyTuple_GET_ITEM(bound, 3)),
                  PyTuple_GET_ITEM(bound, 4)};
}

/* The kind of a type's name, OTHER where it has none, -1 where it is no name. */
static inline int kind_of(PyObject *type) {
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

static inline bool packs(int kind, PyObject *type, bool lists) {
    int of = lists && kind & LIST ? kind & ~LIST : SCALARS;
    return kind < SCALARS || of == UUID || of == BIGINT || of == INT || of == TEXT
           || PyErr_Format(PyExc_ValueError, "nothing packs the type %R", type);
}

/* The function `def` for these types; without an `other` it must know them all. */
static inline PyObject *bound(PyMethodDef *def, PyObject *given, Py_ssize_t by, PyObject *other,
                              PyObject *prefix) {
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
    PyObject *self =
        kinds == NULL ? NULL : Py_BuildValue("(OOOnO)", types, other, kinds, by, prefix);
    PyObject *made = self == NULL ? NULL : PyCFunction_New(def, self);
    Py_DECREF(types);
    Py_XDECREF(kinds);
    Py_XDECREF(self);
    return made;
}

/* The next row as a tuple of the right length; NULL at the end, or with an error set. */
static inline PyObject *next_row(const Plan *plan, PyObject *each) {
    PyObject *given = PyIter_Next(each);
    PyObject *row = given == NULL ? NULL : PySequence_Tuple(given);
    Py_XDECREF(given);
    if (row != NULL && PyTuple_GET_SIZE(row) != plan->count) {
        PyErr_Format(PyExc_ValueError, "a row of %zd values", PyTuple_GET_SIZE(row));
        Py_CLEAR(row);
    }
    return row;
}
